"""The loads: what is sent, to a daemon with which settings, how often."""

import dataclasses

K, M = 1000, 1000 * 1000
PACKED = 1432  # bytes of a datagram that fits into an Ethernet frame
LINE_PREFIX = "stats."  # of a counter's name, as the daemon sends it


@dataclasses.dataclass(frozen=True)
class Stage:
    """One run of the load program. A load may have several, one after the other."""

    samples: int
    rate: int = 0  # samples a second; 0: as fast as it can
    names: int = 1000
    series: int = 0  # 0: every name in every type
    types: str = "cgms"
    size: int = PACKED  # of a datagram; 0: a sample each
    prefix: str = "web"
    name_len: int = 20
    all_new: bool = False
    spread: int = 1000  # values of timers
    ring: int = 0
    ports: int = 1

    def arguments(self):
        """For the load program."""
        flags = ["samples", "rate", "names", "series", "types", "size", "prefix", "name_len",
                 "spread", "ring", "ports"]
        given = [f"--{flag.replace('_', '-')}={getattr(self, flag)}" for flag in flags]
        return given + (["--new"] if self.all_new else [])

    def shorter(self, divisor):
        """The same in miniature, at the same rate. A thousand names stay a thousand."""
        def less(number):
            return number // divisor if number > 10 * K else number

        return dataclasses.replace(self, samples=less(self.samples), names=less(self.names),
                                   series=less(self.series), spread=less(self.spread),
                                   ring=less(self.ring))


@dataclasses.dataclass(frozen=True)
class Load:
    """A row of the result. Figures that hardly vary are measured once."""

    name: str
    what: str
    stages: tuple
    settings: dict = dataclasses.field(default_factory=dict)
    flush_ms: int = 5000
    runs: int = 3
    cpus: int = 1  # of the daemon
    from_tick: bool = False  # begins with an interval, so that it lies within one
    after: str = ""  # what else is made of it: a function of the runner's EXTRAS

    def shorter(self, divisor=20):
        # Whole seconds, as a timestamp says no more.
        return dataclasses.replace(self, runs=1, flush_ms=self.flush_ms // 5000 * 1000,
                                   stages=tuple(it.shorter(divisor) for it in self.stages))


def sums(load):
    """The prefixes under which the load's counters arrive."""
    return sorted({f"{LINE_PREFIX}c.{stage.prefix}." for stage in load.stages
                   if "c" in stage.types})


PACKED_1K = Stage(10 * M, rate=2 * M)
PACKED_100K = Stage(10 * M, rate=M, names=100 * K, series=283 * K)
OLD_NAMES = Stage(500 * K, rate=500 * K, names=10 * K, types="c", prefix="old")

LOADS = [
    Load("packed-1k", "1,000 names of 4 types, 1,432-byte datagrams, 2 M samples/s", (PACKED_1K,)),
    Load("packed-100k", "100,000 names, 283,000 series, 1 M samples/s", (PACKED_100K,)),
    Load("single", "one sample a datagram, 1,000 names, unpaced", (Stage(M, size=0),)),
    Load("burst", "4 M samples in 1,432-byte datagrams, unpaced", (Stage(4 * M),)),
    Load("flush-1m", "1 M names alive, all flushed under 200,000 datagrams/s",
         (Stage(M, rate=M, names=M, types="c", ring=M),
          Stage(2600 * K, rate=200 * K, names=M, types="c", ring=M, size=0)),
         {"QUEUE_MEMORY": "256M"}, flush_ms=6000, runs=1),
    Load("memory", "283,000 series of 32-byte names, QUEUE_MEMORY=24M",
         (Stage(4 * M, rate=400 * K, names=100 * K, series=283 * K, name_len=32),),
         {"QUEUE_MEMORY": "24M"}, runs=1, after="bytes_per_type"),
    Load("timer-10m", "one timer, 10 M samples in one interval, then 200,000 samples/s",
         (Stage(10 * M, rate=2 * M, names=1, types="m", spread=M, ring=M, prefix="one"),
          Stage(1400 * K, rate=200 * K)),
         {"PCT": "50,90,99"}, flush_ms=10000, runs=1, from_tick=True, after="timer_errors"),
    Load("bomb", "10 M new names at 1 M/s between samples of old ones, MEMORY_LIMIT=256M",
         (OLD_NAMES, Stage(10 * M, rate=M, types="c", all_new=True, prefix="bomb"), OLD_NAMES),
         {"MEMORY_LIMIT": "256M", "MAX_METRICS": "20000000", "QUEUE_MEMORY": "512M"},
         flush_ms=8000, runs=1),
    Load("threads-2", "packed-1k from 64 ports, THREADS=2",
         (dataclasses.replace(PACKED_1K, ports=64),), {"THREADS": "2"}, cpus=2),
]
