# make, make run, make test; `make help` names the rest.
#
# Variants, each in a directory of its own, also combined: DEBUG=1, WERROR=1,
# SANITIZE=address,undefined, FAULTS=1. V=1 shows the commands. CC, CFLAGS, CPPFLAGS, LDFLAGS,
# PREFIX and DESTDIR mean what they always do.

VERSION := $(shell sed -n '1s/^[^(]*(\([^)]*\)).*/\1/p' debian/changelog)
PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
PKG_CONFIG ?= pkg-config
LDCONFIG ?= ldconfig
OBJCOPY ?= objcopy
LIBRARIES := libconfuse libsystemd libbsd
CLI_LIBRARIES := ncursesw

B := build$(if $(DEBUG),-debug)$(if $(WERROR),-werror)$(if $(SANITIZE),-sanitize)
B := $(B)$(if $(FAULTS),-faults)

ifdef DEBUG
CFLAGS ?= -O0 -g3
else ifdef SANITIZE
CFLAGS ?= -O1 -g -fno-omit-frame-pointer
else
CFLAGS ?= -O2 -g
endif

WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wconversion \
	$(if $(WERROR),-Werror)
# gcc tells of every fence that its thread sanitizer does not see.
ifeq ($(SANITIZE),thread)
WARNINGS += -Wno-tsan
endif
FORTIFY := $(if $(DEBUG)$(SANITIZE)$(filter -O0,$(CFLAGS)),,-D_FORTIFY_SOURCE=2)
SANITIZERS := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all)

# Asked only when a recipe needs them, and once: `make deps` may have to install pkg-config first.
once = $(eval $(1) := $(shell $(2)))$($(1))
LIB_CFLAGS = $(call once,LIB_CFLAGS,$(PKG_CONFIG) --cflags $(LIBRARIES))
LIB_LIBS = $(call once,LIB_LIBS,echo $$($(PKG_CONFIG) --libs $(LIBRARIES)) -lm)
CHECK_CFLAGS = $(call once,CHECK_CFLAGS,$(PKG_CONFIG) --cflags check)
CHECK_LIBS = $(call once,CHECK_LIBS,$(PKG_CONFIG) --libs check)
CLI_LIBS = $(call once,CLI_LIBS,echo $$($(PKG_CONFIG) --libs $(CLI_LIBRARIES)) -lm)

ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -Isrc -DPYSTATSD_VERSION='"$(VERSION)"' $(WARNINGS) \
	-fstack-protector-strong $(FORTIFY) -fPIE $(SANITIZERS) $(if $(FAULTS),-DFAULTS) \
	$(LIB_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SANITIZERS) $(CFLAGS) $(LDFLAGS)

FOLDERS := base metric pipe worker sender master
SOURCES := $(sort $(wildcard $(FOLDERS:%=src/%/*.c)))
UNITS := $(sort $(wildcard $(FOLDERS:%=tests/unit/%/check_*.c) tests/unit/client/check_*.c \
	tests/unit/cli/check_*.c))
CORE := $(patsubst %.c,$(B)/%.o,$(filter-out src/master/main.c,$(SOURCES)))
MAIN := $(B)/src/master/main.o
CHECKS := $(UNITS:%.c=$(B)/%)
BENCHES := $(patsubst tests/bench/%.c,$(B)/bench/%,$(sort $(wildcard tests/bench/*.c)))
SERVER := $(B)/pystatsd-server
# The client library shares nothing with the server.
CLIENT := $(patsubst %.c,$(B)/%.o,$(sort $(wildcard src/client/*.c)))
CLIENT_MAP := src/client/libpystatsd.map
CLIENT_CALLS := $(shell sed -n 's/^ *\(pystatsd_[a-z_]*\);/\1/p' $(CLIENT_MAP))
SONAME := libpystatsd.so.0
CLIENT_SO := $(B)/$(SONAME)
CLIENT_A := $(B)/libpystatsd.a
# The command, on the client library alone.
CLI := $(patsubst %.c,$(B)/%.o,$(sort $(filter-out src/cli/main.c,$(wildcard src/cli/*.c))))
CLI_MAIN := $(B)/src/cli/main.o
COMMAND := $(B)/pystatsd
SERVER_PATH := $(PREFIX)/bin/pystatsd-server
# For any Python from 3.10 on; Debian's own looks for modules where PYTHONDIR says.
PYTHON_MODULE := $(B)/python/pystatsd.abi3.so
PYTHON_CFLAGS = $(call once,PYTHON_CFLAGS,$(PKG_CONFIG) --cflags python3 | sed 's/-I/-isystem /g')
PYTHON_VERSION = $(call once,PYTHON_VERSION,$(PKG_CONFIG) --modversion python3 2>/dev/null)
PYTHONDIR ?= $(PREFIX)/lib/python$(if $(filter /usr,$(PREFIX)),3,$(PYTHON_VERSION))/dist-packages
# What the crash tests need: a load, a daemon with hooks, and one with fault points.
CHAOS := $(B)/chaos/load $(B)/chaos/pystatsd-server

comma := ,
Q := $(if $(V),,@)
say = $(if $(V),:,printf '  %-7s %s\n') $(1) $(2)

all: $(SERVER) $(CLIENT_SO) $(CLIENT_A) $(COMMAND) $(PYTHON_MODULE)

# A goal that starts with `deps` has them in place before the first command that needs them.
ifneq ($(filter deps test test-package chaos lint,$(MAKECMDGOALS)),)
$(B)/flags faults: | deps
else ifneq ($(filter run,$(MAKECMDGOALS)),)
$(B)/flags: | build-deps
endif

# Written anew only where the flags have changed, and then everything is built again.
$(B)/flags: FORCE
	@$(PKG_CONFIG) --exists $(LIBRARIES) $(CLI_LIBRARIES) || { echo \
		"missing: one of $(LIBRARIES) $(CLI_LIBRARIES); \`make deps\` installs them" >&2; exit 1; }
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(subst ','\'',$(ALL_CFLAGS)) $(ALL_LDFLAGS)' | cmp -s - $@ || \
		printf '%s\n' '$(CC) $(subst ','\'',$(ALL_CFLAGS)) $(ALL_LDFLAGS)' >$@

$(B)/src/%.o: src/%.c $(B)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%.o: tests/%.c $(B)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(CHECK_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libcore.a: $(CORE)
	@$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(SERVER): $(MAIN) $(B)/libcore.a
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LIBS)

$(B)/src/client/%.o: private ALL_CFLAGS += -fPIC -fvisibility=hidden

# Written anew only where PREFIX has changed.
$(B)/server_path.h: FORCE
	@mkdir -p $(@D)
	@echo '#define SERVER_PATH "$(SERVER_PATH)"' | cmp -s - $@ || \
		echo '#define SERVER_PATH "$(SERVER_PATH)"' >$@

$(B)/src/client/server.o: private ALL_CFLAGS += -include $(B)/server_path.h
$(B)/src/client/server.o: $(B)/server_path.h

# It is never unloaded: a look-up of it may be under way.
$(CLIENT_SO): $(CLIENT) $(CLIENT_MAP)
	@$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,$(CLIENT_MAP) \
		-Wl,-z,relro,-z,now,-z,nodelete $(SANITIZERS) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $(CLIENT)
	$(Q)ln -sf $(SONAME) $(B)/libpystatsd.so

# One object, in which only what is public is global: a program may have the other names itself.
$(CLIENT_A): $(CLIENT)
	@$(call say,AR,$@)
	$(Q)$(CC) -r -nostdlib $(LDFLAGS) -o $(B)/libpystatsd.o $^
	$(Q)$(OBJCOPY) --localize-hidden $(B)/libpystatsd.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(B)/libpystatsd.o

$(B)/libcli.a: $(CLI)
	@$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# The library is in it, so that it runs from anywhere, the build directory as well, and needs no
# package besides its own.
$(COMMAND): $(CLI_MAIN) $(B)/libcli.a $(CLIENT_A)
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -pthread -o $@ $^ $(CLI_LIBS)

$(B)/tests/unit/cli/%: $(B)/tests/unit/cli/%.o $(B)/libcli.a $(CLIENT_A)
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -pthread -o $@ $^ $(CHECK_LIBS) $(CLI_LIBS)

$(PYTHON_MODULE): $(sort $(wildcard src/python/*.[ch])) src/client/pystatsd.h \
		$(B)/server_path.h $(CLIENT_SO)
	@mkdir -p $(@D)
	@if $(PKG_CONFIG) --exists python3; then $(call say,LD,$@); \
		else echo "no Python headers: the Python module is left out; python3-dev has them"; fi
	$(Q)! $(PKG_CONFIG) --exists python3 || $(CC) $(ALL_CFLAGS) $(PYTHON_CFLAGS) -fPIC \
		-include $(B)/server_path.h -fvisibility=hidden -shared -Wl,-z,relro,-z,now \
		$(SANITIZERS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(CLIENT_SO)

$(B)/tests/unit/client/%: $(B)/tests/unit/client/%.o $(CLIENT)
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -pthread -o $@ $^ $(CHECK_LIBS)

# It compares with the server.
$(B)/tests/unit/client/check_clean: $(B)/libcore.a

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libcore.a
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LIBS) $(LIB_LIBS)

# It tries what the sender does without memory.
$(B)/tests/unit/sender/check_sender: private ALL_LDFLAGS += -Wl,--wrap=calloc \
	-Wl,--wrap=clock_mono_ms

# It tries what the sender does where the machine has no memory.
$(B)/tests/unit/sender/check_vault: private ALL_LDFLAGS += -Wl,--wrap=fallocate

# They have a clock of their own.
$(B)/tests/unit/sender/check_delivery $(B)/tests/unit/sender/check_intake \
$(B)/tests/unit/worker/check_live $(B)/tests/unit/worker/check_listing \
$(B)/tests/unit/worker/check_erase: \
	private ALL_LDFLAGS += -Wl,--wrap=clock_mono_ms

# It is killed between what it does to the disk.
$(B)/tests/unit/sender/check_stow: private ALL_LDFLAGS += \
	$(foreach call,renameat unlinkat fdatasync,-Wl$(comma)--wrap=$(call))

# They try what a disk can do.
DISK_CHECKS := $(addprefix $(B)/tests/unit/sender/check_,durable gauges spool spool_crash)
$(DISK_CHECKS): private ALL_LDFLAGS += \
	$(foreach call,openat write fdatasync renameat fsync unlinkat pread,-Wl$(comma)--wrap=$(call))

# It tries what all but FAULTS=1 leave out.
$(B)/src/base/fault-on.o: src/base/fault.c $(B)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -DFAULTS -MMD -MP -c -o $@ $<

$(B)/tests/unit/base/check_fault: $(if $(FAULTS),,$(B)/src/base/fault-on.o)

$(B)/chaos/load: $(B)/tests/chaos/load.o
	@mkdir -p $(@D)
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

HOOKED := backoff_fail malloc calloc realloc mmap
$(B)/chaos/pystatsd-server: $(MAIN) $(B)/tests/chaos/hooks.o $(B)/libcore.a
	@mkdir -p $(@D)
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(HOOKED:%=-Wl,--wrap=%) -o $@ $^ $(LIB_LIBS)

faults: $(if $(FAULTS),$(SERVER))
	@$(if $(FAULTS),,$(MAKE) --no-print-directory FAULTS=1)

$(B)/bench/%: $(B)/tests/bench/%.o
	@mkdir -p $(@D)
	@$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(B)/bench/client: $(CLIENT_A)

deps:
	@sh debian/deps

# Without what the tests use, some of which starts services.
build-deps:
	@sh debian/deps build

run: build-deps $(SERVER)
	@echo 'Send it a metric from another terminal:'
	@echo
	@echo "    bash -c \"printf 'hello:1|c' >/dev/udp/127.0.0.1/8125\""
	@echo
	@exec $(SERVER) --debug --config etc/default/pystatsd

test: deps all $(CHECKS) $(CHAOS) faults
	@tests/run $(B)

# The same crash tests as in `make test`, in full length.
chaos: deps $(SERVER) $(CHAOS) faults
	@seed=$${CHAOS_SEED:-$$(date +%s)} && echo "CHAOS_SEED=$$seed" && \
		CHAOS=1 CHAOS_SEED=$$seed tests/run $(B) tests/proc/chaos

# On machines of its own, one of each init system: takes root and a Debian mirror.
test-package: deps $(SERVER)
	@tests/run $(B) -n0 tests/package

bench: $(SERVER) $(BENCHES)
	@tests/bench/run $(B) $(BENCH)

lint: deps
	@CC='$(CC)' tests/lint/lint.py

# As etc/default/pystatsd, with what a daemon that is installed keeps over restarts and reboots, and
# with where it is asked.
$(B)/settings: etc/default/pystatsd Makefile
	@mkdir -p $(@D)
	@$(call say,GEN,$@)
	$(Q)sed -e 's|^#STATE_DIR=""$$|STATE_DIR=/run/pystatsd|' \
		-e 's|^#GAUGES_FILE=""$$|GAUGES_FILE=$(STATE)/gauges/latest|' \
		-e 's|^#ADMIN_SOCKET=""$$|ADMIN_SOCKET=/run/pystatsd/admin.sock|' $< >$@.$$$$ && \
		mv $@.$$$$ $@

# What is installed and where, but for the documents; the paths in it are made those of PREFIX.
STATE := /var/lib/pystatsd
DOCDIR := $(PREFIX)/share/doc/pystatsd
COMPLETIONDIR := $(PREFIX)/share/bash-completion/completions
MANUALS := $(sort $(wildcard man/*.[1-9]))
COMPLETIONS := $(sort $(wildcard etc/bash_completion.d/*))
GRAPHITE := $(sort $(wildcard etc/graphite/*))
manual = $(PREFIX)/share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))
completion = $(COMPLETIONDIR)/$(notdir $(1))
manual_of = $(PREFIX)/share/man/man3/$(1).3
PLACED := $(addprefix $(PREFIX)/bin/,pystatsd pystatsd-server) $(UNITDIR)/pystatsd.service \
	$(UNITDIR)/pystatsd.socket /etc/init.d/pystatsd \
	$(foreach page,$(MANUALS),$(call manual,$(page))) \
	$(foreach file,$(COMPLETIONS),$(call completion,$(file))) \
	$(addprefix $(LIBDIR)/,$(SONAME) libpystatsd.so libpystatsd.a pkgconfig/pystatsd.pc) \
	$(INCLUDEDIR)/pystatsd.h $(PYTHONDIR)/$(notdir $(PYTHON_MODULE)) \
	$(foreach call,$(CLIENT_CALLS),$(call manual_of,$(call)))
place = install -d $(DESTDIR)$(dir $(3)) && \
	sed -E 's,/usr/(bin|share)/,$(PREFIX)/\1/,g' $(2) >$(DESTDIR)$(3) && chmod $(1) $(DESTDIR)$(3)

# Of this machine. The loader then finds the library, if LIBDIR is one that it looks in.
refresh_loader = $(if $(DESTDIR),,PATH="$$PATH:/usr/sbin:/sbin" $(LDCONFIG) || :)

# The administrator's own settings stay as they are.
install: all $(B)/settings
	@echo '$(PREFIX)' | grep -Eqx '(/[A-Za-z0-9_.+-]+)+' || \
		{ echo 'PREFIX: expected /PATH of letters, digits and _ . + -' >&2; false; }
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin /etc/default $(DOCDIR)/examples $(STATE))
	install -m 755 $(SERVER) $(COMMAND) $(DESTDIR)$(PREFIX)/bin
	$(call place,644,init/pystatsd.service,$(UNITDIR)/pystatsd.service)
	$(call place,644,init/pystatsd.socket,$(UNITDIR)/pystatsd.socket)
	$(call place,755,init/pystatsd.init,/etc/init.d/pystatsd)
	install -d $(addprefix $(DESTDIR),$(LIBDIR)/pkgconfig $(INCLUDEDIR))
	install -m 644 $(CLIENT_SO) $(CLIENT_A) $(DESTDIR)$(LIBDIR)
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libpystatsd.so
	install -m 644 src/client/pystatsd.h $(DESTDIR)$(INCLUDEDIR)
	test ! -e $(PYTHON_MODULE) || \
		install -D -m 644 -t $(DESTDIR)$(PYTHONDIR) $(PYTHON_MODULE)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' src/client/pystatsd.pc.in \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/pystatsd.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/pystatsd.pc
	$(foreach page,$(MANUALS),$(call place,644,$(page),$(call manual,$(page))) &&) :
	$(foreach call,$(CLIENT_CALLS),ln -sf libpystatsd.3 $(DESTDIR)$(call manual_of,$(call)) &&) :
	$(foreach file,$(COMPLETIONS),$(call place,644,$(file),$(call completion,$(file))) &&) :
	test -e $(DESTDIR)/etc/default/pystatsd || \
		install -m 644 $(B)/settings $(DESTDIR)/etc/default/pystatsd
	install -m 644 README.md CHANGELOG LICENSE $(DESTDIR)$(DOCDIR)
	$(call place,644,init/pystatsd.conf.upstart,$(DOCDIR)/examples/pystatsd.conf.upstart)
	$(foreach file,$(GRAPHITE),$(call place,644,$(file),$(DOCDIR)/graphite/$(notdir $(file))) &&) :
	$(refresh_loader)

# To be called when it has been stopped and disabled. What the daemon has kept goes as well, the
# administrator's own settings stay, and so do directories that were there before: of /usr and
# /usr/local those that every system has, and any that is not empty.
uninstall: $(B)/settings
	rm -f $(PLACED:%=$(DESTDIR)%)
	rm -rf $(DESTDIR)$(DOCDIR) $(DESTDIR)$(STATE) $(DESTDIR)/run/pystatsd
	! cmp -s $(B)/settings $(DESTDIR)/etc/default/pystatsd || \
		rm -f $(DESTDIR)/etc/default/pystatsd
	$(refresh_loader)
ifneq ($(DESTDIR),)
	cd $(DESTDIR) && rmdir -p --ignore-fail-on-non-empty \
		$(patsubst /%,%,$(sort $(dir $(PLACED) $(DOCDIR) $(STATE)) /etc/default)) 2>/dev/null || :
else ifeq ($(filter /usr /usr/local,$(PREFIX)),)
	! cd $(PREFIX) || { rmdir -p --ignore-fail-on-non-empty $(patsubst $(PREFIX)/%,%, \
		$(filter $(PREFIX)/%,$(sort $(dir $(PLACED) $(DOCDIR))))) 2>/dev/null; \
		rmdir --ignore-fail-on-non-empty $(PREFIX); }
else
	rmdir --ignore-fail-on-non-empty $(filter $(PREFIX)/%,$(UNITDIR) $(PREFIX)/lib/systemd \
		$(COMPLETIONDIR) $(PREFIX)/share/bash-completion $(LIBDIR)/pkgconfig \
		$(sort $(dir $(foreach page,$(MANUALS),$(call manual,$(page))))) \
		$(PREFIX)/share/doc) 2>/dev/null || :
endif

clean:
	rm -rf build build-debug build-*werror build-*sanitize build-*faults

help:
	@echo 'make             build $(B)/pystatsd-server, $(B)/pystatsd, $(B)/libpystatsd.{so.0,a} and the Python module'
	@echo 'make run         serve in the foreground, showing every flush'
	@echo 'make test        all tests, and lint'
	@echo 'make chaos       what crashes and outages cost, in 20 minutes; CHAOS_SEED=N'
	@echo 'make test-package  the package built, checked, and installed on a machine of each init system'
	@echo 'make lint        formatting, layering and budgets'
	@echo 'make bench       speed and memory; BENCH=--quick, BENCH="--only single", PEERS=1'
	@echo 'make deps        install what building and testing needs, from Debian'
	@echo 'make install     into $(PREFIX), settings into /etc/default; uninstall takes it back'
	@echo 'make clean       remove what was built'
	@echo
	@echo 'DEBUG=1, WERROR=1, SANITIZE=address,undefined: other builds, in directories of their own'
	@echo 'FAULTS=1: one that can be made to die at named places, see src/base/fault.h'
	@echo 'V=1: show the commands. CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR LDCONFIG: as ever'

-include $(CORE:.o=.d) $(CLIENT:.o=.d) $(CLI:.o=.d) $(CLI_MAIN:.o=.d) $(MAIN:.o=.d) $(B)/src/base/fault-on.d $(CHECKS:=.d) \
	$(BENCHES:$(B)/bench/%=$(B)/tests/bench/%.d)
-include $(B)/tests/chaos/load.d $(B)/tests/chaos/hooks.d

FORCE:
.PHONY: all deps build-deps run test test-package chaos faults bench lint install uninstall clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:
