"""The loads: what is sent, to a daemon with which settings, how often, and what is to be reached."""

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
    blocks: bool = False  # names that collide in an unkeyed hash, each a single node
    spread: int = 1000  # values of timers
    ring: int = 0
    ports: int = 1

    def arguments(self):
        """For the load program."""
        flags = ["samples", "rate", "names", "series", "types", "size", "prefix", "name_len",
                 "spread", "ring", "ports"]
        given = [f"--{flag.replace('_', '-')}={getattr(self, flag)}" for flag in flags]
        return (given + (["--new"] if self.all_new else []) +
                (["--blocks"] if self.blocks else []))

    def counters(self):
        """The prefix under which its counters arrive."""
        return LINE_PREFIX if self.blocks else f"{LINE_PREFIX}c.{self.prefix}."

    def shorter(self, divisor):
        """The same in miniature, at the same rate. A thousand names stay a thousand."""
        def less(number):
            return number // divisor if number > 10 * K else number

        return dataclasses.replace(self, samples=less(self.samples), names=less(self.names),
                                   series=less(self.series), spread=less(self.spread),
                                   ring=less(self.ring))


@dataclasses.dataclass(frozen=True)
class Bar:
    """A figure that a load is to reach: a value of its result, and the most that it may be."""

    what: str
    key: str
    limit: float
    unit: str = ""
    least: bool = False  # the limit is the least it may be
    digits: int = 0
    where: str = ""  # asked for only where the result has this

    def met(self, result):
        """None where nobody asks for it."""
        value = result.get(self.key)
        if value is not None and (value >= self.limit if self.least else value <= self.limit):
            return True
        return False if not self.where or result.get(self.where) else None


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
    against: "Load" = None  # measured in turn with it, to compare
    same: tuple = ()  # prefixes of other types whose values add up to the same in both of them
    bars: tuple = ()
    is_client: bool = False  # of the client library: the samples of its stage, and no daemon
    quick: dict = dataclasses.field(default_factory=dict)  # other settings in miniature

    def shorter(self, divisor=20):
        # Whole seconds, as a timestamp says no more.
        return dataclasses.replace(self, runs=1, flush_ms=self.flush_ms // 5000 * 1000,
                                   stages=tuple(it.shorter(divisor) for it in self.stages),
                                   settings={**self.settings, **self.quick},
                                   against=self.against and self.against.shorter(divisor))


def sums(load):
    """The prefixes under which the load's lines are added up: its counters, and what is compared."""
    counters = {stage.counters() for stage in load.stages if "c" in stage.types}
    return sorted(counters) + list(load.same)


PACKED_1K = Stage(10 * M, rate=2 * M)
PACKED_100K = Stage(10 * M, rate=M, names=100 * K, series=283 * K)
PORTS_64 = dataclasses.replace(PACKED_1K, ports=64)
OLD_NAMES = Stage(500 * K, rate=500 * K, names=10 * K, types="c", prefix="old")
BOMB = Stage(10 * M, rate=M, types="c", all_new=True, prefix="bomb")
COLLIDE = Stage(4 * M, rate=M, names=M, types="c", ring=M, name_len=40, blocks=True)
MILLION = {"MAX_METRICS": "2000000", "QUEUE_MEMORY": "256M"}
TIMERS_AND_SETS = (f"{LINE_PREFIX}timers.m.web.", f"{LINE_PREFIX}sets.s.web.")

NONE_LOST = Bar("samples lost", "lost", 0)


def cpu(limit_ns):
    return Bar("CPU a sample", "ns", limit_ns, " ns", digits=1)


def times_floor(limit):
    return Bar("CPU by the floor's", "floor_ratio", limit, digits=2)


LOADS = [
    Load("packed-1k", "1,000 names of 4 types, 1,432-byte datagrams, 2 M samples/s", (PACKED_1K,),
         bars=(cpu(100), times_floor(4))),
    Load("packed-100k", "100,000 names, 283,000 series, 1 M samples/s", (PACKED_100K,),
         bars=(cpu(250), NONE_LOST)),
    Load("single", "one sample a datagram, 1,000 names, unpaced", (Stage(M, size=0),),
         bars=(times_floor(1.25), NONE_LOST)),
    Load("burst", "4 M samples in 1,432-byte datagrams, unpaced", (Stage(4 * M),),
         bars=(dataclasses.replace(NONE_LOST, where="load_is_slower"),)),
    Load("flush-1m", "1 M names alive, all flushed under 200,000 datagrams/s",
         (Stage(M, rate=M, names=M, types="c", ring=M),
          Stage(2600 * K, rate=200 * K, names=M, types="c", ring=M, size=0)),
         MILLION, flush_ms=6000, runs=1,
         bars=(Bar("datagrams dropped", "drops", 0),
               Bar("until it is delivered", "delivered_ms", 2000, " ms"))),
    Load("memory", "283,000 series of 32-byte names, QUEUE_MEMORY=24M",
         (Stage(4 * M, rate=400 * K, names=100 * K, series=283 * K, name_len=32),),
         {"QUEUE_MEMORY": "24M"}, runs=1, after="bytes_per_type",
         bars=(Bar("PSS of all processes", "pss_mib", 80, " MiB", digits=1), NONE_LOST)),
    Load("timer-10m", "one timer, 10 M samples in one interval, then 200,000 samples/s",
         (Stage(10 * M, rate=2 * M, names=1, types="m", spread=M, ring=M, prefix="one"),
          Stage(1400 * K, rate=200 * K)),
         {"PCT": "50,90,99"}, flush_ms=10000, runs=1, from_tick=True, after="timer_errors",
         bars=(Bar("flush", "flush_ms", 999, " ms"),
               Bar("error of percentiles", "percentile_error", 1, " %", digits=3),
               Bar("inexact count, lower, upper or mean", "n_inexact", 0))),
    Load("bomb", "10 M new names at 1 M/s between samples of old ones, MEMORY_LIMIT=256M",
         (OLD_NAMES, BOMB, OLD_NAMES),
         {"MEMORY_LIMIT": "256M", "MAX_METRICS": "20000000", "QUEUE_MEMORY": "512M",
          "LOG_LEVEL": "debug"},
         flush_ms=8000, runs=1, after="bomb", quick={"MEMORY_LIMIT": "16M"},
         bars=(Bar("the worker's RSS by MEMORY_LIMIT", "limit_percent", 105, " %", digits=1),
               Bar("samples refused", "refused", 1, least=True),
               Bar("samples that nobody accounts for", "n_unaccounted", 0),
               Bar("counts missing from the old names", "old_off", 0),
               Bar("warnings that are missing or untrue", "n_unnamed", 0))),
    Load("collide", "1 M names that collide in an unkeyed hash, 1 M samples/s", (COLLIDE,),
         MILLION, flush_ms=10000, from_tick=True,
         against=Load("as many ordinary names", "",
                      (dataclasses.replace(COLLIDE, blocks=False),), MILLION, flush_ms=10000,
                      from_tick=True),
         bars=(Bar("speed by that of ordinary names", "speed_percent", 80, " %", least=True,
                   digits=1),)),
    Load("threads-2", "packed-1k from 64 ports, THREADS=2", (PORTS_64,), {"THREADS": "2"},
         flush_ms=10000, cpus=2, from_tick=True, after="throughput", same=TIMERS_AND_SETS,
         against=Load("THREADS=1", "", (PORTS_64,), {"THREADS": "1"}, flush_ms=10000, cpus=2,
                      from_tick=True, same=TIMERS_AND_SETS),
         bars=(Bar("sums that differ", "n_sums_off", 0),
               Bar("CPU by that of THREADS=1", "against_ratio", 1.15, digits=3),
               Bar("throughput by that of THREADS=1", "throughput_ratio", 1.7, least=True,
                   digits=2, where="has_cpus"))),
    Load("client", "a program that counts, times and gauges with libpystatsd, buffered; *floor*: "
         "that does so with snprintf", (Stage(10 * M),), is_client=True,
         bars=(Bar("user time a sample", "ns", 150, " ns", digits=1),
               Bar("user time by the floor's", "floor_ratio", 1, digits=2))),
]
