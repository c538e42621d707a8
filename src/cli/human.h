/*
 * human: numbers as people read them.
 */
#ifndef CLI_HUMAN_H
#define CLI_HUMAN_H

#define HUMAN_MAX 32

/* "7", "0.4", "999", "1.2k", "34M": what is less than a thousand of its unit has at most one
 * decimal. Anything that is no finite number is "-". */
void human_count(double count, char out[HUMAN_MAX]);

/* "17 B", "1.2 KiB", "34 MiB". */
void human_size(double bytes, char out[HUMAN_MAX]);

/* "30ms", "1.4s", "12s", "5m 3s", "2h 5m", "3d 4h". */
void human_age(double seconds, char out[HUMAN_MAX]);

#endif
