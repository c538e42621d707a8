/*
 * keys_ask: the settings of where the daemon can be asked. Knows what an address and a mode look
 * like; must not know what is asked there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "master/keys.h"

#define SOCKET_PATH_MAX 107 /* of struct sockaddr_un, without its NUL */
#define CONSOLE_MAX     300 /* a host with a port and brackets */

static const char EXPECTED_CONSOLE[] =
    "expected host:port, [v6]:port or a port, the port from 1 to 65535";

static const char *
set_admin_socket(struct config *config, const struct value *value)
{
    memcpy(config->master.admin_socket, value->text, sizeof(value->text));
    return NULL;
}

static const char *
set_admin_socket_mode(struct config *config, const struct value *value)
{
    const char *text = value->text;
    size_t len = strlen(text);

    if (strspn(text, "01234567") != len || (len == 4 && text[0] != '0'))
        return "expected three octal digits, or a 0 and three";
    config->master.admin_mode = (unsigned)strtoul(text, NULL, 8);
    return NULL;
}

/* Cuts "host:port", "[v6]:port" or "port" in two. */
static int
cut_console(const char *text, char *host, const char **out_port)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    *out_port = colon != NULL ? colon + 1 : text;
    if (colon == NULL) {
        strcpy(host, "127.0.0.1");
        return 0;
    }
    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return -1;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    return len > 0 && strpbrk(host, "[] /") == NULL ? 0 : -1;
}

static const char *
set_console(struct config *config, const struct value *value)
{
    struct master_opts *master = &config->master;
    uint64_t number;
    const char *port;

    if (value->text[0] == '\0')
        return NULL;
    if (cut_console(value->text, master->console_host, &port) != 0 || port[0] == '0' ||
        num_parse_u64(port, strlen(port), UINT16_MAX, &number) != 0)
        return EXPECTED_CONSOLE;
    master->console_port = (uint16_t)number;
    return NULL;
}

static const char *
set_console_write(struct config *config, const struct value *value)
{
    config->master.console_write = value->number != 0;
    return NULL;
}

static const struct key rows[] = {
    {.name = "ADMIN_SOCKET",
     .rule = {.kind = VALUE_PATH, .max = SOCKET_PATH_MAX},
     .text = "",
     .set = set_admin_socket},
    {.name = "ADMIN_SOCKET_MODE",
     .rule = {.kind = VALUE_TEXT, .min = 3, .max = 4},
     .text = "0600",
     .set = set_admin_socket_mode},
    {.name = "CONSOLE",
     .rule = {.kind = VALUE_TEXT, .max = CONSOLE_MAX},
     .text = "",
     .set = set_console},
    {.name = "CONSOLE_WRITE",
     .rule = {.kind = VALUE_SWITCH},
     .text = "no",
     .set = set_console_write},
};

const struct key_group keys_ask = {rows, sizeof(rows) / sizeof(rows[0])};
