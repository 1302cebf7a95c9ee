/*
 * memeat: allocates memory and fills it with known content.
 *
 *   memeat fill NAME MIB SEED   allocates MIB MiB, fills it with random numbers from SEED, and stays in the background
 *   memeat verify NAME          reads the memory; prints "ok CHECKSUM", or the offset of the first wrong byte (exit code 1)
 *   memeat pin NAME             pins one page of each MiB and frees the rest; verify is not possible afterwards
 *   memeat holes NAME           frees every other page, so that free memory consists of single pages; verify is not
 *                               possible afterwards
 *   memeat free NAME            frees the memory and exits
 *
 * The background process serves one request at a time on the socket /run/memeat.NAME. No two pages have the same
 * content, and no page compresses well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what)
{
    fprintf(stderr, "memeat: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* xorshift64: its period is 2^64 - 1, so all words of one run are different. */
static uint64_t next(uint64_t word)
{
    word ^= word << 13;
    word ^= word >> 7;
    word ^= word << 17;
    return word;
}

static void fill(uint64_t *words, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = next(seed);
        words[i] = seed;
    }
}

static void verify(const uint64_t *words, size_t count, uint64_t seed, char *answer, size_t size)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        seed = next(seed);
        if (words[i] != seed) {
            snprintf(answer, size, "wrong at byte %zu: %016llx instead of %016llx\n", i * sizeof(uint64_t),
                     (unsigned long long) words[i], (unsigned long long) seed);
            return;
        }
        sum = sum * 31 + words[i];
    }
    snprintf(answer, size, "ok %016llx\n", (unsigned long long) sum);
}

static struct sockaddr_un address(const char *name)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    snprintf(to.sun_path, sizeof to.sun_path, "/run/memeat.%s", name);
    return to;
}

/*
 * The kernel can neither move nor reclaim a page in a pipe. So a memory block with such a page can't be removed from the
 * guest.
 */
static void pin(char *bytes, size_t size)
{
    enum { MIB = 1 << 20, PAGE = 4096 };
    int ends[2] = { -1, -1 };
    size_t room = 0;
    for (size_t at = 0; at < size; at += MIB) {
        struct iovec page = { bytes + at, PAGE };
        if (room == 0) {
            /* The read end stays open, because the pages would be freed otherwise. */
            if (pipe(ends) < 0 || fcntl(ends[1], F_SETPIPE_SZ, MIB) < 0)
                fail("pipe");
            room = MIB / PAGE;
        }
        if (vmsplice(ends[1], &page, 1, 0) != PAGE)
            fail("vmsplice");
        room--;
    }
    if (madvise(bytes, size, MADV_DONTNEED) < 0)
        fail("madvise");
}

static void holes(char *bytes, size_t size)
{
    enum { PAGE = 4096 };
    for (size_t at = 0; at < size; at += 2 * PAGE)
        if (madvise(bytes + at, PAGE, MADV_DONTNEED) < 0)
            fail("madvise");
}

static void serve(int listener, const char *path, size_t bytes, uint64_t seed, int filled)
{
    uint64_t *words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED)
        fail("mmap");
    fill(words, bytes / sizeof *words, seed);
    if (write(filled, "f", 1) != 1)
        fail("parent");
    close(filled);
    for (;;) {
        char answer[128] = "free\n";
        char request;
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            fail("accept");
        if (read(client, &request, 1) == 1) {
            if (request == 'v')
                verify(words, bytes / sizeof *words, seed, answer, sizeof answer);
            else if (request == 'p') {
                pin((char *) words, bytes);
                strcpy(answer, "pinned\n");
            } else if (request == 'h') {
                holes((char *) words, bytes);
                strcpy(answer, "has holes\n");
            } else if (munmap(words, bytes) < 0 || unlink(path) < 0)
                fail("free");
            if (write(client, answer, strlen(answer)) < 0)
                perror("memeat: answer");
            if (request == 'f')
                exit(0);
        }
        close(client);
    }
}

static int start(const char *name, size_t bytes, uint64_t seed)
{
    struct sockaddr_un here = address(name);
    int filled[2];
    char done;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *) &here, sizeof here) < 0 || listen(listener, 1) < 0)
        fail(here.sun_path);
    if (pipe(filled) < 0)
        fail("pipe");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        /* The host reads the serial port, so a background process must not hold or write it. */
        if (setsid() < 0 || !freopen("/dev/null", "w", stdout) || !freopen("/dev/kmsg", "w", stderr))
            fail("detach");
        close(filled[0]);
        serve(listener, here.sun_path, bytes, seed, filled[1]);
    }
    close(filled[1]);
    if (read(filled[0], &done, 1) != 1) {
        fprintf(stderr, "memeat: exited before all memory was filled\n");
        unlink(here.sun_path);
        return 2;
    }
    printf("filled %zu bytes\n", bytes);
    return 0;
}

static int ask(const char *name, char request)
{
    struct sockaddr_un there = address(name);
    char answer[128];
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (server < 0 || connect(server, (struct sockaddr *) &there, sizeof there) < 0)
        fail(there.sun_path);
    if (write(server, &request, 1) != 1)
        fail("request");
    ssize_t length = read(server, answer, sizeof answer - 1);
    if (length <= 0)
        fail("answer");
    answer[length] = '\0';
    fputs(answer, stdout);
    return strncmp(answer, "wrong", 5) == 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "fill") == 0) {
        uint64_t seed = strtoull(argv[4], NULL, 0);
        size_t mib = strtoull(argv[3], NULL, 0);
        if (seed == 0 || mib == 0 || mib > SIZE_MAX >> 20) {
            fprintf(stderr, "memeat: MIB and SEED must be numbers greater than 0\n");
            return 2;
        }
        return start(argv[2], mib << 20, seed);
    }
    if (argc == 3 && strcmp(argv[1], "verify") == 0)
        return ask(argv[2], 'v');
    if (argc == 3 && strcmp(argv[1], "pin") == 0)
        return ask(argv[2], 'p');
    if (argc == 3 && strcmp(argv[1], "holes") == 0)
        return ask(argv[2], 'h');
    if (argc == 3 && strcmp(argv[1], "free") == 0)
        return ask(argv[2], 'f');
    fprintf(stderr, "usage: memeat fill NAME MIB SEED | verify NAME | pin NAME | holes NAME | free NAME\n");
    return 2;
}
