/*
 * fault: named places where a process can be made to die, for the tests of what then becomes of the
 * data. Built in with `make FAULTS=1` only; else they are nothing.
 *
 * PYSTATSD_FAULTS in the environment is a list "NAME:HIT,NAME:HIT,…": at the HIT-th passing (from
 * 1, of all processes of a daemon together, ever) of the place NAME, the process that passes it is
 * killed (SIGKILL). NAME with a "!" behind it aborts instead, with a "~" it loops for ever, with a
 * "-" behind it the process exits with status 1. The parts are heeded one after another: the second
 * counts from when the first has struck.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#ifdef FAULTS

/* Reads the environment. To be called once, before any fork. */
void fault_init(void);

/* A place. name is a literal. */
void fault_point(const char *name);

/* Whether this line of a datagram is the one that the tests take for a bug of the parser:
 * PYSTATSD_POISON in the environment, of len bytes. It aborts the process. */
void fault_poison(const char *text, unsigned long len);

#else

static inline void
fault_init(void)
{
}

static inline void
fault_point(const char *name)
{
    (void)name;
}

static inline void
fault_poison(const char *text, unsigned long len)
{
    (void)text;
    (void)len;
}

#endif

#endif
