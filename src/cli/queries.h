/*
 * queries: the commands that ask the daemon and print what it says, or tell it to do something.
 * Each returns the exit status.
 */
#ifndef CLI_QUERIES_H
#define CLI_QUERIES_H

struct options;

/* list [GLOB], flush, reload, config: the command's own name and its operand, as they are. */
int queries_plain(const struct options *options);

/* get NAME */
int queries_get(const struct options *options);

/* watch [GLOB]: until the daemon or the user ends it. */
int queries_watch(const struct options *options);

/* delete GLOB */
int queries_delete(const struct options *options);

/* explain LINE; where no daemon answers, pystatsd-server --explain takes this process's place,
 * unless a daemon was named. */
int queries_explain(const struct options *options);

#endif
