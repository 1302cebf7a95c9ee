/*
 * diskread: reads a disk continuously with O_DIRECT, so that the device alone writes the buffers.
 *
 *   diskread start DISK   starts in the background; returns when each reader has read once
 *   diskread check        checks all buffers; prints "ok COUNT", the number of reads, or the error (exit code 1)
 *   diskread end          stops the process
 *
 * A word of 8 bytes at byte AT of the disk must be (AT / 8 + 1) * 0x9e3779b97f4a7c15. Each buffer is used repeatedly, for
 * a different offset of the disk each time. So bytes that do not arrive leave older ones, which are wrong. A buffer is
 * checked when its read ends, at each check command, and before it is used again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <linux/fs.h>
#include <unistd.h>

enum { READERS = 8, BUFFERS = 16, LENGTH = 16384, STRIDE = 7919 };

struct buffer {
    pthread_mutex_t lock;
    const uint64_t *words;
    uint64_t at;
    /* False while a read is in progress, and before the first read. */
    int whole;
};

static struct buffer buffers[READERS][BUFFERS];
static char *memory;
static int disk;
static uint64_t blocks;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t begun, reads;
static char wrong[160];

static void fail(const char *what)
{
    fprintf(stderr, "diskread: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* Keeps only the first error, because further errors may be its consequences. */
static void complain(const char *what, uint64_t at, uint64_t found)
{
    pthread_mutex_lock(&lock);
    if (wrong[0] == '\0')
        snprintf(wrong, sizeof wrong, "wrong: %s at byte %llu of the disk: %016llx\n", what, (unsigned long long) at,
                 (unsigned long long) found);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void look(const struct buffer *buffer, const char *when)
{
    for (size_t i = 0; buffer->whole && i < LENGTH / sizeof(uint64_t); i++) {
        uint64_t at = buffer->at + i * sizeof(uint64_t);
        if (buffer->words[i] != (at / 8 + 1) * 0x9e3779b97f4a7c15) {
            complain(when, at, buffer->words[i]);
            return;
        }
    }
}

static void read_into(struct buffer *buffer)
{
    pthread_mutex_lock(&lock);
    /* Far from the previous read, because reads of neighbouring blocks would be merged. */
    uint64_t at = begun++ * STRIDE % blocks * LENGTH;
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&buffer->lock);
    look(buffer, "changed after the read");
    buffer->whole = 0;
    buffer->at = at;
    pthread_mutex_unlock(&buffer->lock);

    ssize_t length = pread(disk, (void *) buffer->words, LENGTH, at);
    if (length != LENGTH)
        complain(length < 0 ? strerror(errno) : "short read", at, length);

    pthread_mutex_lock(&buffer->lock);
    buffer->whole = length == LENGTH;
    look(buffer, "wrong after the read");
    pthread_mutex_unlock(&buffer->lock);
    pthread_mutex_lock(&lock);
    reads++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *read_on(void *own)
{
    struct buffer *mine = own;
    for (;;)
        for (int i = 0; i < BUFFERS; i++)
            read_into(&mine[i]);
    return NULL;
}

static void check(char *answer, size_t size)
{
    for (int i = 0; i < READERS * BUFFERS; i++) {
        struct buffer *buffer = &buffers[0][0] + i;
        pthread_mutex_lock(&buffer->lock);
        look(buffer, "changed after the read");
        pthread_mutex_unlock(&buffer->lock);
    }
    pthread_mutex_lock(&lock);
    if (wrong[0] == '\0')
        snprintf(answer, size, "ok %llu\n", (unsigned long long) reads);
    else
        snprintf(answer, size, "%s", wrong);
    pthread_mutex_unlock(&lock);
}

static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/diskread" };

static void serve(int listener)
{
    for (;;) {
        char answer[sizeof wrong] = "ended\n";
        char request;
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            fail("accept");
        if (read(client, &request, 1) == 1) {
            if (request == 'c')
                check(answer, sizeof answer);
            else
                unlink(address.sun_path);
            if (write(client, answer, strlen(answer)) < 0)
                perror("diskread: answer");
            if (request == 'e')
                _exit(0);
        }
        close(client);
    }
}

static void begin(const char *name)
{
    uint64_t size;
    disk = open(name, O_RDONLY | O_DIRECT);
    if (disk < 0 || ioctl(disk, BLKGETSIZE64, &size) < 0)
        fail(name);
    blocks = size / LENGTH;
    memory = mmap(NULL, READERS * BUFFERS * LENGTH, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap");
    for (int i = 0; i < READERS * BUFFERS; i++) {
        struct buffer *buffer = &buffers[0][0] + i;
        pthread_mutex_init(&buffer->lock, NULL);
        buffer->words = (uint64_t *) (memory + (size_t) i * LENGTH);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_t thread;
        if ((errno = pthread_create(&thread, NULL, read_on, buffers[i])) != 0)
            fail("thread");
    }
    pthread_mutex_lock(&lock);
    while (reads < READERS && wrong[0] == '\0')
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int start(const char *name)
{
    int ready[2];
    char done;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *) &address, sizeof address) < 0 || listen(listener, 1) < 0)
        fail(address.sun_path);
    if (pipe(ready) < 0)
        fail("pipe");
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        /* The host reads the serial port, so a background process must not hold or write it. */
        if (setsid() < 0 || !freopen("/dev/null", "w", stdout) || !freopen("/dev/kmsg", "w", stderr))
            fail("detach");
        close(ready[0]);
        begin(name);
        if (write(ready[1], "r", 1) != 1)
            fail("parent");
        close(ready[1]);
        serve(listener);
    }
    close(ready[1]);
    if (read(ready[0], &done, 1) != 1) {
        fprintf(stderr, "diskread: exited before the first reads\n");
        unlink(address.sun_path);
        return 2;
    }
    return 0;
}

static int ask(char request)
{
    char answer[sizeof wrong];
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    if (server < 0 || connect(server, (const struct sockaddr *) &address, sizeof address) < 0)
        fail(address.sun_path);
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
    if (argc == 3 && strcmp(argv[1], "start") == 0)
        return start(argv[2]);
    if (argc == 2 && strcmp(argv[1], "check") == 0)
        return ask('c');
    if (argc == 2 && strcmp(argv[1], "end") == 0)
        return ask('e');
    fprintf(stderr, "usage: diskread start DISK | check | end\n");
    return 2;
}
