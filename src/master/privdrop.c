/*
 * privdrop: owns the one-way step out of root. Must not know what the process needs afterwards:
 * whatever takes privileges has been opened before.
 */
#include "master/privdrop.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"

struct identity {
    uid_t uid;
    gid_t gid;
};

static struct identity
look_up(const char *user, const char *group)
{
    struct identity identity;
    const struct passwd *passwd;
    const struct group *entry;

    errno = 0;
    passwd = getpwnam(user);
    if (passwd == NULL)
        fatalx(EX_CONFIG, "unknown user \"%s\"%s%s; create it or set USER", user,
               errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    if (passwd->pw_uid == 0)
        fatalx(EX_CONFIG, "USER=%s is root, which the daemon refuses to stay; set another USER",
               user);
    identity = (struct identity){.uid = passwd->pw_uid, .gid = passwd->pw_gid};
    if (group[0] != '\0') {
        errno = 0;
        entry = getgrnam(group);
        if (entry == NULL)
            fatalx(EX_CONFIG, "unknown group \"%s\"%s%s; create it or set GROUP", group,
                   errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
        identity.gid = entry->gr_gid;
    }
    return identity;
}

/* What is not in this set cannot be gained by executing anything. A root that lacks CAP_SETPCAP
 * may not empty it; no_new_privs says the same then. */
static void
empty_bounding_set(void)
{
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap);
}

static int
drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

    memset(none, 0, sizeof(none));
    return (int)syscall(SYS_capset, &head, none);
}

static bool
has_capability(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    memset(data, 0, sizeof(data));
    if (syscall(SYS_capget, &head, data) != 0)
        return true;
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        if ((data[i].effective | data[i].permitted | data[i].inheritable) != 0)
            return true;
    }
    return false;
}

static bool
is_identity(const struct identity *identity)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid, groups[2];

    return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 &&
           ruid == identity->uid && euid == identity->uid && suid == identity->uid &&
           rgid == identity->gid && egid == identity->gid && sgid == identity->gid &&
           getgroups(2, groups) == 1 && groups[0] == identity->gid;
}

/* The same for every process, however it was started. */
static void
lock(void)
{
    if (drop_capabilities() != 0 || has_capability())
        fatal(EX_CONFIG, "cannot drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        fatal(EX_CONFIG, "cannot set no_new_privs");
}

void
privdrop_find(const char *user, const char *group, uid_t *out_uid, gid_t *out_gid)
{
    struct identity identity = {.uid = geteuid(), .gid = getegid()};

    if (identity.uid == 0)
        identity = look_up(user, group);
    *out_uid = identity.uid;
    *out_gid = identity.gid;
}

/* With its identity a process loses the signal that it wanted at the death of its parent: an
 * application that runs a server of its own asks for one. */
static void
die_with_parent_still(int death_signal, pid_t parent)
{
    if (death_signal == 0)
        return;
    if (prctl(PR_SET_PDEATHSIG, death_signal) != 0 || getppid() != parent)
        fatalx(EX_CONFIG, "whoever started the server has ended");
}

bool
privdrop(const char *user, const char *group)
{
    pid_t parent = getppid();
    struct identity identity;
    int death_signal = 0;

    if (geteuid() != 0) {
        lock();
        return false;
    }
    identity = look_up(user, group);
    (void)prctl(PR_GET_PDEATHSIG, &death_signal);
    /* Groups before the user, who may not change them; the bounding set while CAP_SETPCAP is
     * there. */
    if (setgroups(1, &identity.gid) != 0 ||
        setresgid(identity.gid, identity.gid, identity.gid) != 0)
        fatal(EX_CONFIG, "cannot become group %u of USER=%s", (unsigned)identity.gid, user);
    empty_bounding_set();
    if (setresuid(identity.uid, identity.uid, identity.uid) != 0)
        fatal(EX_CONFIG, "cannot become USER=%s", user);
    lock();
    if (!is_identity(&identity) || setuid(0) == 0)
        fatalx(EX_CONFIG, "privileges were not dropped: still more than USER=%s", user);
    die_with_parent_still(death_signal, parent);
    return true;
}
