"""What the process tests share. Knows the daemon from outside only: flags, sockets, /proc."""
