/*
 * driver: a guest that consists only of a virtio balloon driver. It boots in a tenth of the time of Linux. Unlike a Linux
 * driver, it makes an invalid buffer available and resets the device immediately.
 *
 * A multiboot program (32 bits, no paging, no interrupts) for "qemu -kernel". It uses the protocol of guest/agent on the
 * second serial port: the answer to a line "ID COMMAND" is the byte 0x1e, ID and exit code.
 *
 *   start               resets the device, sets two virtqueues up, and sets DRIVER_OK
 *   reset               resets the device
 *   break COUNT CYCLES  COUNT times: starts the device, makes a buffer available whose chain leaves the descriptor table,
 *                       and resets the device within CYCLES processor cycles
 *
 * Names of registers and bits are those of the VIRTIO specification, sections 4.1 (PCI), 2.7 (split virtqueues).
 */
#include <stdint.h>

enum { COM2 = 0x2f8, PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc };
enum { QUEUES = 2, QUEUE_SIZE = 128 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { F_NEXT = 1 };

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct available {
    uint16_t flags;
    volatile uint16_t index;
    uint16_t ring[QUEUE_SIZE];
};

struct used {
    uint16_t flags;
    uint16_t index;
    struct {
        uint32_t id;
        uint32_t length;
    } ring[QUEUE_SIZE];
};

/* virtio_pci_common_cfg */
struct common {
    uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
    uint16_t config_msix_vector, num_queues;
    uint8_t device_status, config_generation;
    uint16_t queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
    uint32_t queue_desc[2], queue_driver[2], queue_device[2];
};

static struct descriptor descriptors[QUEUES][QUEUE_SIZE] __attribute__((aligned(4096)));
static struct available available[QUEUES] __attribute__((aligned(4096)));
static struct used used[QUEUES] __attribute__((aligned(4096)));

static volatile struct common *common;
static volatile uint16_t *notify[QUEUES];
static uint32_t notify_base, notify_multiplier;

static void outb(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static void outl(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }

static uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static uint64_t cycles(void)
{
    uint64_t value;
    __asm__ volatile("rdtsc" : "=A"(value));
    return value;
}

/* --- the serial port ------------------------------------------------------------------------------------------------- */

static void put(char byte)
{
    while (!(inb(COM2 + 5) & 0x20))
        ;
    outb(COM2, byte);
}

static void print(const char *text)
{
    while (*text)
        put(*text++);
}

static void print_number(uint32_t number)
{
    if (number >= 10)
        print_number(number / 10);
    put('0' + number % 10);
}

static void read_line(char *line, int size)
{
    int length = 0;
    for (;;) {
        while (!(inb(COM2 + 5) & 1))
            ;
        char byte = inb(COM2);
        if (byte == '\n')
            break;
        if (length < size - 1)
            line[length++] = byte;
    }
    line[length] = '\0';
}

/* --- the device ------------------------------------------------------------------------------------------------------ */

static uint32_t pci_read(uint32_t slot, uint32_t offset)
{
    outl(PCI_ADDRESS, 0x80000000u | slot << 11 | (offset & 0xfc));
    return inl(PCI_DATA) >> (offset & 3) * 8;
}

static void pci_write(uint32_t slot, uint32_t offset, uint32_t value)
{
    outl(PCI_ADDRESS, 0x80000000u | slot << 11 | (offset & 0xfc));
    outl(PCI_DATA, value);
}

/* Returns the address of the structure that a capability describes; 0 if it is above 4 GiB. */
static uint32_t structure(uint32_t slot, uint32_t capability)
{
    uint32_t bar = 0x10 + (pci_read(slot, capability + 4) & 0xff) * 4;
    if ((pci_read(slot, bar) & 6) == 4 && pci_read(slot, bar + 4))
        return 0;
    return (pci_read(slot, bar) & ~15u) + pci_read(slot, capability + 8);
}

/* Finds a balloon on bus 0, or on bus 1 behind the first root port. Returns 0 if it was found. */
static int find(void)
{
    for (uint32_t slot = 0; slot < 64; slot++) {
        if (pci_read(slot, 0) != 0x10451af4)
            continue;
        pci_write(slot, 4, (pci_read(slot, 4) & 0xffff) | 6);
        for (uint32_t at = pci_read(slot, 0x34) & 0xff; at; at = pci_read(slot, at + 1) & 0xff) {
            if ((pci_read(slot, at) & 0xff) != 9)
                continue;
            uint32_t type = pci_read(slot, at + 3) & 0xff;
            if (type == 1)
                common = (volatile struct common *) structure(slot, at);
            if (type == 2) {
                notify_base = structure(slot, at);
                notify_multiplier = pci_read(slot, at + 16);
            }
        }
        return common && notify_base ? 0 : 2;
    }
    return 1;
}

static void reset(void)
{
    common->device_status = 0;
    while (common->device_status)
        ;
}

static int start(void)
{
    reset();
    common->device_status = ACKNOWLEDGE | DRIVER;
    common->driver_feature_select = 0;
    common->driver_feature = 0;
    /* VIRTIO_F_VERSION_1 */
    common->driver_feature_select = 1;
    common->driver_feature = 1;
    common->device_status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    if (!(common->device_status & FEATURES_OK))
        return 3;
    for (int i = 0; i < QUEUES; i++) {
        available[i].index = 0;
        used[i].index = 0;
        common->queue_select = i;
        common->queue_size = QUEUE_SIZE;
        common->queue_desc[0] = (uint32_t) descriptors[i];
        common->queue_desc[1] = 0;
        common->queue_driver[0] = (uint32_t) &available[i];
        common->queue_driver[1] = 0;
        common->queue_device[0] = (uint32_t) &used[i];
        common->queue_device[1] = 0;
        common->queue_enable = 1;
        notify[i] = (volatile uint16_t *) (notify_base + common->queue_notify_off * notify_multiplier);
    }
    common->device_status = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
    return 0;
}

/* The descriptor's next index is outside of the table. */
static void make_invalid_buffer_available(void)
{
    descriptors[0][0] = (struct descriptor){ .address = (uint32_t) used, .length = 4, .flags = F_NEXT, .next = QUEUE_SIZE };
    available[0].ring[0] = 0;
    available[0].index = 1;
    *notify[0] = 0;
}

static void wait(uint32_t count)
{
    uint64_t end = cycles() + count;
    /* Each read of the port exits to QEMU, so that its other threads can run. */
    while (cycles() < end)
        inb(COM2 + 5);
}

static int break_and_reset(uint32_t count, uint32_t within)
{
    for (uint32_t i = 0; i < count; i++) {
        int failure = start();
        if (failure)
            return failure;
        make_invalid_buffer_available();
        wait((uint32_t) cycles() * 2654435761u % within);
        reset();
    }
    return 0;
}

/* --- the protocol ---------------------------------------------------------------------------------------------------- */

static uint32_t number(const char **text)
{
    uint32_t value = 0;
    while (**text == ' ')
        (*text)++;
    while (**text >= '0' && **text <= '9')
        value = value * 10 + (uint32_t) (*(*text)++ - '0');
    return value;
}

static int starts_with(const char *text, const char *word)
{
    while (*word)
        if (*text++ != *word++)
            return 0;
    return 1;
}

static int run(const char *command)
{
    if (starts_with(command, "start"))
        return start();
    if (starts_with(command, "reset")) {
        reset();
        return 0;
    }
    if (starts_with(command, "break ")) {
        command += 6;
        uint32_t count = number(&command);
        return break_and_reset(count, number(&command));
    }
    return 127;
}

void serve(void)
{
    char line[128];
    int failure = find();
    print("\036ready driver\n");
    for (;;) {
        read_line(line, sizeof line);
        const char *command = line;
        uint32_t id = number(&command);
        int code = failure ? failure : run(command + 1);
        put('\036');
        print_number(id);
        put(' ');
        print_number((uint32_t) code);
        put('\n');
    }
}

static uint8_t stack[16384] __attribute__((used, aligned(16)));

/* The multiboot header, and the entry point. */
__asm__(".text\n"
        ".align 4\n"
        ".long 0x1badb002, 0, -0x1badb002\n"
        ".globl _start\n"
        "_start:\n"
        "    mov $stack + 16384, %esp\n"
        "    call serve\n");
