/*
 * place: owns the ways to say where the admin socket is. Reads of the settings what it needs, and
 * leaves it to the daemon to complain of the rest.
 */
#include "cli/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY            "ADMIN_SOCKET"
#define DEFAULT_PLACE  "/run/pystatsd/admin.sock"
#define BLANKS         " \t\r\n"
#define SETTING_LENGTH 4096

/* The value of a line `[export] KEY=VALUE`, which may be quoted, cut out of the line; or NULL where
 * it is none of KEY. */
static char *
value_of(char *line)
{
    char *value = line + strspn(line, BLANKS), quote;

    if (strncmp(value, "export ", 7) == 0)
        value += 7 + strspn(value + 7, BLANKS);
    if (strncmp(value, KEY, strlen(KEY)) != 0)
        return NULL;
    value += strlen(KEY);
    value += strspn(value, BLANKS);
    if (*value++ != '=')
        return NULL;
    value += strspn(value, BLANKS);
    quote = *value;
    if (quote == '"' || quote == '\'') {
        value++;
        value[strcspn(value, quote == '"' ? "\"" : "'")] = '\0';
    } else {
        value[strcspn(value, BLANKS "#;")] = '\0';
    }
    return value;
}

/* The last line of the file that sets it counts. */
static void
read_file(const char *file, char out[SETTING_LENGTH])
{
    char line[SETTING_LENGTH];
    FILE *in = fopen(file, "re");

    *out = '\0';
    if (in == NULL)
        return;
    while (fgets(line, sizeof(line), in) != NULL) {
        const char *value = value_of(line);

        if (value != NULL)
            strcpy(out, value);
    }
    fclose(in);
}

int
place_find(const char *named, const char *file, char out[PLACE_MAX])
{
    char setting[SETTING_LENGTH];
    const char *path = named;

    if (path == NULL)
        path = getenv("PYSTATSD_ADMIN_SOCKET");
    if (path == NULL || *path == '\0') {
        read_file(file, setting);
        path = *setting != '\0' ? setting : DEFAULT_PLACE;
    }
    if (strlen(path) >= PLACE_MAX)
        return -1;
    strcpy(out, path);
    return 0;
}
