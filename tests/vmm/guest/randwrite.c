/*
 * randwrite: writes memory at random addresses as fast as possible, and counts the writes.
 *
 *   randwrite start MIB           allocates MIB MiB, writes each page once, then writes words of 8 bytes at random
 *                                 addresses in the background
 *   randwrite now                 prints the time since the start, in tenths of a second
 *   randwrite counts FROM COUNT   prints the number of written words in each of COUNT tenths of a second, starting at FROM
 *   randwrite end                 stops the process
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* TENTHS: ten minutes. BURST: words between two reads of the clock. */
enum { TENTHS = 6000, BURST = 256, PAGE = 4096 };

static const char path[] = "/run/randwrite";

/* In a file that the writer and the other commands map. */
struct log {
    pid_t writer;
    uint64_t begun;
    uint64_t counts[TENTHS];
};

static void fail(const char *what)
{
    fprintf(stderr, "randwrite: %s: %s\n", what, strerror(errno));
    exit(2);
}

static uint64_t tenths(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 10ull + now.tv_nsec / 100000000;
}

static volatile struct log *map_log(int flags)
{
    int file = open(path, O_RDWR | flags, 0600);
    if (file < 0)
        fail(path);
    if (flags && ftruncate(file, sizeof(struct log)) < 0)
        fail("truncate");
    struct log *log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (log == MAP_FAILED)
        fail("map");
    close(file);
    return log;
}

static void write_on(volatile struct log *log, volatile uint64_t *words, uint64_t count)
{
    uint64_t random = 1;
    log->begun = tenths();
    for (;;) {
        for (int i = 0; i < BURST; i++) {
            /* xorshift64 */
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            words[(unsigned __int128) random * count >> 64] = random;
        }
        uint64_t at = tenths() - log->begun;
        if (at >= TENTHS)
            exit(0);
        log->counts[at] += BURST;
    }
}

/*
 * Runs beside the writer, so that the guest switches between processes at a constant rate. Without it the speed of the writer
 * varied by up to seven times. The likely cause is that QEMU's translation resizes its table of addresses at such switches.
 */
static void switch_processes(void)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        fail("prctl");
    for (;;)
        usleep(10000);
}

static int start(size_t bytes)
{
    volatile struct log *log = map_log(O_CREAT | O_TRUNC);
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("memory");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        /* The host reads the serial port, so a background process must not hold it. */
        if (setsid() < 0 || !freopen("/dev/null", "w", stdout) || !freopen("/dev/kmsg", "w", stderr))
            fail("detach");
        /* Before the memory is written, so that it has no copy. */
        pid_t other = fork();
        if (other < 0)
            fail("fork");
        if (other == 0)
            switch_processes();
        for (size_t at = 0; at < bytes; at += PAGE)
            memory[at] = 1;
        write_on(log, (volatile uint64_t *) memory, bytes / sizeof(uint64_t));
    }
    log->writer = child;
    while (log->begun == 0)
        usleep(10000);
    return 0;
}

static int print(size_t from, size_t count)
{
    volatile struct log *log = map_log(0);
    if (from > TENTHS || count > TENTHS - from) {
        fprintf(stderr, "randwrite: FROM + COUNT must be at most %d tenths of a second\n", TENTHS);
        return 2;
    }
    for (size_t i = from; i < from + count; i++)
        printf("%llu%c", (unsigned long long) log->counts[i], i + 1 < from + count ? ' ' : '\n');
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "start") == 0) {
        size_t mib = strtoull(argv[2], NULL, 0);
        if (mib > 0 && mib <= SIZE_MAX >> 20)
            return start(mib << 20);
    }
    if (argc == 2 && strcmp(argv[1], "now") == 0) {
        printf("%llu\n", (unsigned long long) (tenths() - map_log(0)->begun));
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "counts") == 0)
        return print(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
    if (argc == 2 && strcmp(argv[1], "end") == 0)
        return kill(map_log(0)->writer, SIGKILL) < 0;
    fprintf(stderr, "usage: randwrite start MIB | now | counts FROM COUNT | end\n");
    return 2;
}
