// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page bitmaps: the device asks which pages are free, and the driver
 * answers from the allocator's records. Before, it tells where these are. See
 * spec/free-page-bitmap.md.
 *
 * All is done by one work item, a stretch of memory at a time: it never waits.
 * When no chunk is left, or a new request comes, the queue's callback has it
 * run again.
 */
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "descriptors.h"
#include "exomem_balloon.h"
#include "scan.h"

#define REQUEST_BYTES 4096
#define CHUNKS 16

struct wanted_range {
	__le64 address;
	__le64 length;
};

#define RANGES ((REQUEST_BYTES - 24) / sizeof(struct wanted_range))

struct request {
	__le32 id;
	u8 page_shift;
	u8 reserved[3];
	__le32 count;
	__le32 reserved2;
	__le64 reserved3;
	struct wanted_range ranges[RANGES];
};

#define REQUEST_HEADER offsetof(struct request, ranges)

#define CHUNK_LAST 1
#define CHUNK_INCOMPLETE 2

struct chunk {
	__le32 id;
	__le16 type;
	__le16 flags;
	__le64 address;
	__le64 pages;
	u8 page_shift;
	u8 reserved[7];
	u8 bitmap[EXB_STRETCH / 8];
	/* Written by the device. */
	__le32 wanted;
};

#define CHUNK_HEADER offsetof(struct chunk, bitmap)

#define LARGEST_SHIFT 30

/* What is told of an answer when it has ended. */
struct answer {
	u32 id;
	bool complete;
	u64 chunks;
	u64 pages;
	u64 nanoseconds;
	u64 longest_hold;
};

/*
 * @request: what the device makes requests with; it has it while nothing is
 *	answered
 * @free: chunks that the device does not have
 * @room: how many chunks the queue has room for
 * @telling: page descriptors are told; there is no request buffer until the
 *	device has used all messages
 * @answering: a request is in hand, with @id, and @ranges if @count is not 0
 * @range: which of the ranges is looked at
 * @pfn: where to go on in it
 * @end: its end
 * @notified: when the queue's callback ran
 * @last: what readers of sysfs see
 */
struct exb_bitmap {
	struct exb *exb;
	struct virtqueue *vq;
	struct work_struct work;
	struct request *request;
	struct chunk *chunks[CHUNKS];
	struct chunk *free[CHUNKS];
	unsigned int nr_free;
	unsigned int room;
	bool telling;
	struct exb_descriptors descriptors;
	bool answering;
	u32 id;
	u32 count;
	u32 range;
	unsigned long pfn;
	unsigned long end;
	u64 notified;
	u64 started;
	struct answer now;
	spinlock_t lock;	/* of @last and @answered */
	struct answer last;
	u64 answered;
	struct wanted_range ranges[RANGES];
	struct exb_scan scan;
};

/* FPB-REQ-1. The caller tells the device. */
static void add_request(struct exb_bitmap *bitmap)
{
	struct scatterlist sg;

	sg_init_one(&sg, bitmap->request, sizeof(*bitmap->request));
	virtqueue_add_inbuf(bitmap->vq, &sg, 1, bitmap->request, GFP_KERNEL);
}

/* Returns the first page number of a range that is wholly in it. */
static unsigned long range_start(const struct wanted_range *range)
{
	u64 address = le64_to_cpu(range->address);

	return min_t(u64, DIV_ROUND_UP_ULL(address, PAGE_SIZE), ULONG_MAX);
}

static unsigned long range_end(const struct wanted_range *range)
{
	u64 address = le64_to_cpu(range->address);
	u64 length = le64_to_cpu(range->length);

	return (address + min(length, U64_MAX - address)) >> PAGE_SHIFT;
}

/* Goes to the next page to look at. Returns whether there is one. */
static bool advance(struct exb_bitmap *bitmap)
{
	for (;;) {
		bitmap->pfn = exb_scan_next(bitmap->pfn);
		if (bitmap->pfn < bitmap->end)
			return true;
		if (++bitmap->range >= bitmap->count)
			return false;
		bitmap->pfn = range_start(&bitmap->ranges[bitmap->range]);
		bitmap->end = range_end(&bitmap->ranges[bitmap->range]);
	}
}

/* Returns whether there is a request to answer. */
static bool take_request(struct exb_bitmap *bitmap, unsigned int length)
{
	const struct request *request = bitmap->request;
	u32 id = le32_to_cpu(request->id);
	u32 count = le32_to_cpu(request->count);
	unsigned int shift = request->page_shift;

	/* FPB-REQ-6 */
	if (!length)
		return false;
	if (length < REQUEST_HEADER || !id || count > RANGES ||
	    length < REQUEST_HEADER + count * sizeof(struct wanted_range)) {
		dev_warn_ratelimited(&bitmap->exb->vdev->dev,
				     "a request of %u bytes with %u ranges\n",
				     length, count);
		return false;
	}

	bitmap->answering = true;
	bitmap->id = id;
	bitmap->count = count;
	memcpy(bitmap->ranges, request->ranges,
	       count * sizeof(struct wanted_range));
	bitmap->range = 0;
	bitmap->pfn = count ? range_start(&bitmap->ranges[0]) : 0;
	bitmap->end = count ? range_end(&bitmap->ranges[0]) : ULONG_MAX;
	shift = max_t(unsigned int, shift, PAGE_SHIFT) - PAGE_SHIFT;
	bitmap->scan.smallest = shift < BITS_PER_LONG ? 1UL << shift :
			       ULONG_MAX;
	bitmap->scan.longest_hold = 0;
	memset(&bitmap->now, 0, sizeof(bitmap->now));
	bitmap->now.id = id;
	bitmap->started = READ_ONCE(bitmap->notified);
	return true;
}

static void end_answer(struct exb_bitmap *bitmap, bool complete)
{
	bitmap->answering = false;
	bitmap->now.complete = complete;
	bitmap->now.nanoseconds = ktime_get_ns() - bitmap->started;
	bitmap->now.longest_hold = bitmap->scan.longest_hold;
	spin_lock(&bitmap->lock);
	bitmap->last = bitmap->now;
	bitmap->answered++;
	spin_unlock(&bitmap->lock);
	add_request(bitmap);
	virtqueue_kick(bitmap->vq);
}

/* Takes back what the device has used. */
static void receive(struct exb_bitmap *bitmap)
{
	struct chunk *chunk;
	unsigned int length;
	void *buffer;

	while ((buffer = virtqueue_get_buf(bitmap->vq, &length))) {
		if (buffer == bitmap->request) {
			if (!take_request(bitmap, length)) {
				add_request(bitmap);
				virtqueue_kick(bitmap->vq);
			}
			continue;
		}
		chunk = buffer;
		bitmap->free[bitmap->nr_free++] = chunk;
		/*
		 * FPB-REQ-3. At once: the next request can be behind it. What
		 * comes back late is of an answer that has ended.
		 */
		if (bitmap->answering && length >= sizeof(chunk->wanted) &&
		    le32_to_cpu(chunk->id) == bitmap->id &&
		    le32_to_cpu(chunk->wanted) != bitmap->id)
			end_answer(bitmap, false);
	}
}

/*
 * Makes the stretch's map the chunk's. Its pages are as large as all runs of
 * free pages allow, and it begins and ends where they do.
 */
static unsigned int fill(struct chunk *chunk, const struct exb_scan *scan)
{
	unsigned long from, to, base, bit;
	unsigned int shift;

	if (!scan->pages)
		return 0;
	shift = min_t(unsigned int, __ffs(scan->borders | EXB_STRETCH),
		      LARGEST_SHIFT - PAGE_SHIFT);
	base = find_first_bit(scan->map, EXB_STRETCH);
	chunk->address = cpu_to_le64((u64)(scan->base + base) << PAGE_SHIFT);
	chunk->page_shift = PAGE_SHIFT + shift;
	memset(chunk->bitmap, 0, sizeof(chunk->bitmap));
	for (to = base;; ) {
		from = find_next_bit(scan->map, EXB_STRETCH, to);
		if (from >= EXB_STRETCH)
			break;
		to = find_next_zero_bit(scan->map, EXB_STRETCH, from);
		for (bit = from; bit < to; bit += 1UL << shift)
			__set_bit_le((bit - base) >> shift, chunk->bitmap);
	}
	to = find_last_bit(scan->map, EXB_STRETCH) + 1;
	return (to - base) >> shift;
}

/* Makes the first bytes of a chunk available. */
static void add_chunk(struct exb_bitmap *bitmap, struct chunk *chunk,
		      unsigned int bytes)
{
	struct scatterlist readable, writable;
	struct scatterlist *sgs[] = { &readable, &writable };

	sg_init_one(&readable, chunk, bytes);
	sg_init_one(&writable, &chunk->wanted, sizeof(chunk->wanted));
	/* Fails only when the device has gone. */
	if (virtqueue_add_sgs(bitmap->vq, sgs, 1, 1, chunk, GFP_KERNEL))
		bitmap->free[bitmap->nr_free++] = chunk;
	else
		virtqueue_kick(bitmap->vq);
}

static void send(struct exb_bitmap *bitmap, struct chunk *chunk,
		 unsigned int bits, unsigned int flags)
{
	if (!bits) {
		chunk->address = 0;
		chunk->page_shift = PAGE_SHIFT;
	}
	/* A message about descriptors may have been here. */
	memset(chunk->reserved, 0, sizeof(chunk->reserved));
	chunk->id = cpu_to_le32(bitmap->id);
	chunk->type = 0;
	chunk->flags = cpu_to_le16(flags);
	chunk->pages = cpu_to_le64(bits);
	add_chunk(bitmap, chunk, CHUNK_HEADER + DIV_ROUND_UP(bits, 8));
	bitmap->now.chunks++;
}

/* FPB-ANS-4 */
static void break_off(struct exb_bitmap *bitmap)
{
	if (bitmap->nr_free)
		send(bitmap, bitmap->free[--bitmap->nr_free], 0,
		     CHUNK_LAST | CHUNK_INCOMPLETE);
	end_answer(bitmap, false);
}

static void answer_some(struct exb_bitmap *bitmap)
{
	struct exb_scan *scan = &bitmap->scan;
	struct chunk *chunk;
	unsigned int bits = 0;
	unsigned long to;
	bool more;

	chunk = bitmap->free[--bitmap->nr_free];
	more = advance(bitmap);
	if (more) {
		to = min(bitmap->end,
			 round_down(bitmap->pfn, EXB_STRETCH) + EXB_STRETCH);
		exb_scan_stretch(scan, bitmap->pfn, to);
		bits = fill(chunk, scan);
		bitmap->now.pages += scan->pages;
		bitmap->pfn = to;
		more = advance(bitmap);
	}
	/* FPB-ANS-1, FPB-ANS-2 */
	if (bits || !more)
		send(bitmap, chunk, bits, more ? 0 : CHUNK_LAST);
	else
		bitmap->free[bitmap->nr_free++] = chunk;
	if (!more)
		end_answer(bitmap, true);
}

/* FPB-DESC-1 */
static void tell_some(struct exb_bitmap *bitmap)
{
	struct chunk *chunk;
	unsigned int bytes;

	while (bitmap->nr_free) {
		chunk = bitmap->free[bitmap->nr_free - 1];
		bytes = exb_descriptors_next(&bitmap->descriptors, chunk);
		if (!bytes)
			break;
		bitmap->nr_free--;
		add_chunk(bitmap, chunk, bytes);
	}
	if (bitmap->nr_free < bitmap->room)
		return;
	bitmap->telling = false;
	if (!bitmap->descriptors.pages)
		dev_info(&bitmap->exb->vdev->dev,
			 "no page descriptors: none that stay where they are\n");
	add_request(bitmap);
	virtqueue_kick(bitmap->vq);
}

static void work(struct work_struct *work)
{
	struct exb_bitmap *bitmap = container_of(work, struct exb_bitmap, work);

	receive(bitmap);
	if (bitmap->telling)
		tell_some(bitmap);
	if (!bitmap->answering || !bitmap->nr_free)
		return;
	answer_some(bitmap);
	/* Not in a loop: a suspend may come between. */
	if (bitmap->answering)
		exb_queue_work(bitmap->exb, work);
}

void exb_bitmap_notified(struct virtqueue *vq)
{
	struct exb *exb = vq->vdev->priv;

	WRITE_ONCE(exb->bitmap->notified, ktime_get_ns());
	exb_queue_work(exb, &exb->bitmap->work);
}

/* Begins to serve a queue that is new. */
void exb_bitmap_start(struct exb *exb, struct virtqueue *vq)
{
	struct exb_bitmap *bitmap = exb->bitmap;
	const char *refusal;

	bitmap->vq = NULL;
	if (!vq)
		return;
	/* Two descriptors for each, and one for the request buffer. */
	bitmap->room = min_t(unsigned int, CHUNKS, (vq->num_free - 1) / 2);
	if (!bitmap->room) {
		dev_info(&exb->vdev->dev,
			 "no free page bitmaps: their queue is too short\n");
		return;
	}
	bitmap->vq = vq;
	memcpy(bitmap->free, bitmap->chunks, sizeof(bitmap->free));
	bitmap->nr_free = bitmap->room;
	refusal = exb_descriptors_begin(&bitmap->descriptors);
	if (refusal)
		dev_info(&exb->vdev->dev, "no page descriptors: %s\n", refusal);
	bitmap->telling = !refusal;
	if (refusal)
		add_request(bitmap);
}

/* The device is ready: tells it of the request buffer, or what comes before. */
void exb_bitmap_kick(struct exb *exb)
{
	struct exb_bitmap *bitmap = exb->bitmap;

	if (!bitmap || !bitmap->vq)
		return;
	if (bitmap->telling)
		exb_queue_work(exb, &bitmap->work);
	else
		virtqueue_kick(bitmap->vq);
}

/*
 * Ends the answer, if there is one, for a device that is about to be reset
 * (FPB-RST-2). No work is queued any more.
 */
void exb_bitmap_stop(struct exb *exb)
{
	struct exb_bitmap *bitmap = exb->bitmap;

	if (!bitmap || !bitmap->vq)
		return;
	cancel_work_sync(&bitmap->work);
	if (bitmap->answering)
		break_off(bitmap);
}

void exb_bitmap_destroy(struct exb *exb)
{
	struct exb_bitmap *bitmap = exb->bitmap;
	unsigned int i;

	if (!bitmap)
		return;
	exb_scan_destroy(&bitmap->scan);
	kfree(bitmap->request);
	for (i = 0; i < CHUNKS; i++)
		kfree(bitmap->chunks[i]);
	kfree(bitmap);
	exb->bitmap = NULL;
}

/* FPB-OWN-2: all memory that an answer needs is allocated here. */
int exb_bitmap_create(struct exb *exb)
{
	struct exb_bitmap *bitmap;
	unsigned int i;
	int error;

	BUILD_BUG_ON(sizeof(struct request) < 4088);
	BUILD_BUG_ON(REQUEST_HEADER != 24);
	BUILD_BUG_ON(CHUNK_HEADER != 32);
	BUILD_BUG_ON(offsetof(struct chunk, wanted) < EXB_DESCRIPTORS_BYTES);

	if (!virtio_has_feature(exb->vdev, VIRTIO_BALLOON_F_FREE_PAGE_BITMAP))
		return 0;
	bitmap = kzalloc(sizeof(*bitmap), GFP_KERNEL);
	if (!bitmap)
		return -ENOMEM;
	bitmap->exb = exb;
	INIT_WORK(&bitmap->work, work);
	spin_lock_init(&bitmap->lock);
	error = exb_scan_init(&bitmap->scan);
	if (error) {
		kfree(bitmap);
		return error;
	}
	exb->bitmap = bitmap;
	bitmap->request = kzalloc(REQUEST_BYTES, GFP_KERNEL);
	if (!bitmap->request)
		goto no_memory;
	for (i = 0; i < CHUNKS; i++) {
		bitmap->chunks[i] = kzalloc(sizeof(*bitmap->chunks[i]),
					    GFP_KERNEL);
		if (!bitmap->chunks[i])
			goto no_memory;
	}
	return 0;

no_memory:
	exb_bitmap_destroy(exb);
	return -ENOMEM;
}

static struct answer last_answer(struct device *dev, u64 *answered)
{
	struct exb *exb = dev_to_virtio(dev)->priv;
	struct answer last;

	spin_lock(&exb->bitmap->lock);
	last = exb->bitmap->last;
	*answered = exb->bitmap->answered;
	spin_unlock(&exb->bitmap->lock);
	return last;
}

#define ATTRIBUTE(name, value)						\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attribute, char *text) \
{									\
	u64 answered;							\
	struct answer last = last_answer(dev, &answered);		\
									\
	(void)last;							\
	return sysfs_emit(text, "%llu\n", (unsigned long long)(value));	\
}									\
static DEVICE_ATTR_RO(name)

ATTRIBUTE(answered, answered);
ATTRIBUTE(id, last.id);
ATTRIBUTE(complete, last.complete);
ATTRIBUTE(chunks, last.chunks);
ATTRIBUTE(pages, last.pages);
ATTRIBUTE(nanoseconds, last.nanoseconds);
ATTRIBUTE(longest_hold, last.longest_hold);

static ssize_t descriptors_show(struct device *dev,
				struct device_attribute *attribute, char *text)
{
	struct exb *exb = dev_to_virtio(dev)->priv;

	return sysfs_emit(text, "%llu\n",
			  READ_ONCE(exb->bitmap->descriptors.pages));
}
static DEVICE_ATTR_RO(descriptors);

static struct attribute *attributes[] = {
	&dev_attr_descriptors.attr,
	&dev_attr_answered.attr,
	&dev_attr_id.attr,
	&dev_attr_complete.attr,
	&dev_attr_chunks.attr,
	&dev_attr_pages.attr,
	&dev_attr_nanoseconds.attr,
	&dev_attr_longest_hold.attr,
	NULL,
};

static umode_t visible(struct kobject *kobj, struct attribute *attribute,
		       int index)
{
	struct exb *exb = dev_to_virtio(kobj_to_dev(kobj))->priv;

	return exb->bitmap && exb->bitmap->vq ? attribute->mode : 0;
}

/* The last answer, of the device in sysfs. Times are in nanoseconds. */
const struct attribute_group exb_bitmap_group = {
	.name = "free_page_bitmap",
	.is_visible = visible,
	.attrs = attributes,
};
