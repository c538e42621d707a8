"""What the process tests share. Knows the daemon's outside only: its command line, sockets, /proc."""
