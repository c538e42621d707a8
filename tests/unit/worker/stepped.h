/*
 * stepped: work that is looked at before each of its stores into some memory: as what a process
 * would leave that is killed there.
 *
 * The memory is read-only; whoever writes traps, is let go for one instruction, and traps again.
 */
#ifndef WORKER_STEPPED_H
#define WORKER_STEPPED_H

#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STEPPED_PAGE      4096
#define STEPPED_TRAP_FLAG 0x100

static struct {
    uint8_t *memory; /* whole pages */
    size_t size;
    void (*look)(void);
    bool is_writing;
} stepped;

static inline void
stepped_protect(void *at, size_t size, int how)
{
    ck_assert_int_eq(mprotect(at, size, how), 0);
}

#ifdef __x86_64__
static inline void
stepped_set_trap(void *context, bool on)
{
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

    *flags = on ? *flags | STEPPED_TRAP_FLAG : *flags & ~STEPPED_TRAP_FLAG;
}
#else
/* Without a way to go on for one instruction, only what is there before the first is looked at. */
static inline void
stepped_set_trap(void *context, bool on)
{
    (void)context;
    if (on)
        stepped_protect(stepped.memory, stepped.size, PROT_READ | PROT_WRITE);
}
#endif

/* One store may reach into two pages. */
static inline void
stepped_on_store(int number, siginfo_t *info, void *context)
{
    uint8_t *at = info->si_addr;

    if (at < stepped.memory || at >= stepped.memory + stepped.size) {
        signal(number, SIG_DFL);
        return;
    }
    if (!stepped.is_writing)
        stepped.look();
    stepped.is_writing = true;
    at -= (uintptr_t)at % STEPPED_PAGE;
    stepped_protect(at, STEPPED_PAGE, PROT_READ | PROT_WRITE);
    stepped_set_trap(context, true);
}

static inline void
stepped_on_step(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    stepped.is_writing = false;
    stepped_protect(stepped.memory, stepped.size, PROT_READ);
    stepped_set_trap(context, false);
}

/* Calls act, and look before each of its stores. look must not write there. */
static inline void
stepped_run(void (*act)(void), void (*look)(void), void *memory, size_t size)
{
    struct sigaction on_store = {.sa_sigaction = stepped_on_store, .sa_flags = SA_SIGINFO};
    struct sigaction on_step = {.sa_sigaction = stepped_on_step, .sa_flags = SA_SIGINFO};
    struct sigaction store_before, step_before;

    stepped.memory = memory;
    stepped.size = size;
    stepped.look = look;
    stepped.is_writing = false;
    ck_assert_int_eq(sigaction(SIGSEGV, &on_store, &store_before), 0);
    ck_assert_int_eq(sigaction(SIGTRAP, &on_step, &step_before), 0);
    stepped_protect(memory, size, PROT_READ);
    act();
    stepped_protect(memory, size, PROT_READ | PROT_WRITE);
    ck_assert_int_eq(sigaction(SIGSEGV, &store_before, NULL), 0);
    ck_assert_int_eq(sigaction(SIGTRAP, &step_before, NULL), 0);
}

#endif
