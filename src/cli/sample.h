/*
 * sample: a line of `send`, cut into what the library wants.
 */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

struct sample {
    const char *name, *value, *type;
    const char *tags; /* or NULL */
    double rate;
};

/* Cuts NAME:VALUE|TYPE[|@RATE][|#TAGS] in place: line, NUL-terminated and the caller's own, is what
 * out then points into. Returns 0, or -1 where it is no sample. */
int sample_cut(char *line, struct sample *out);

#endif
