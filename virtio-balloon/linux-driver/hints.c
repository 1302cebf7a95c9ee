// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page hinting: the device shows a command id, and the driver allocates
 * what is free in large blocks and tells them, until nothing is left.
 */
#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/virtio_config.h>

#include "exomem_balloon.h"

#define BLOCK_ORDER MAX_PAGE_ORDER
#define BLOCK_PAGES BIT(BLOCK_ORDER)

/* No reclaim, no reserves, no complaint: only what is free right now. */
#define BLOCK_FLAGS (__GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

static void reap(struct exb_hints *hints)
{
	unsigned int length;
	void *buffer;

	while ((buffer = virtqueue_get_buf(hints->vq, &length)))
		if (buffer == &hints->start)
			hints->starting = false;
}

static u32 read_id(struct exb *exb)
{
	u32 id;

	WRITE_ONCE(exb->hints.changed, false);
	virtio_cread_le(exb->vdev, struct virtio_balloon_config,
			free_page_hint_cmd_id, &id);
	return id;
}

static bool gone(struct exb *exb)
{
	return READ_ONCE(exb->stopped) || virtqueue_is_broken(exb->hints.vq);
}

static bool has_room(struct exb *exb)
{
	reap(&exb->hints);
	return exb->hints.vq->num_free >= 2;
}

static bool can_start(struct exb *exb)
{
	return has_room(exb) && !exb->hints.starting;
}

/*
 * Waits until the device has read the id of the session before: if it found
 * another one there, blocks that were hinted then would pass for the next
 * session's. Returns false if there is nothing to start; a new id has the work
 * run again.
 */
static bool await_start(struct exb *exb)
{
	wait_event(exb->acked, can_start(exb) || gone(exb) ||
		   READ_ONCE(exb->hints.changed));
	return !gone(exb) && !READ_ONCE(exb->hints.changed);
}

static bool can_go_on(struct exb *exb)
{
	return has_room(exb) || READ_ONCE(exb->hints.changed) || gone(exb);
}

/*
 * Waits until a block fits, and a buffer after it: room for the end of the
 * session. Returns whether the device still wants blocks.
 */
static bool await_room(struct exb *exb)
{
	for (;;) {
		wait_event(exb->acked, can_go_on(exb));
		if (gone(exb))
			return false;
		if (READ_ONCE(exb->hints.changed) &&
		    read_id(exb) != exb->hints.active)
			return false;
		if (has_room(exb))
			return true;
	}
}

static void send_id(struct exb *exb, __le32 *id)
{
	struct scatterlist sg;

	reap(&exb->hints);
	sg_init_one(&sg, id, sizeof(*id));
	virtqueue_add_outbuf(exb->hints.vq, &sg, 1, id, GFP_KERNEL);
	virtqueue_kick(exb->hints.vq);
}

static bool send_block(struct exb *exb)
{
	struct exb_hints *hints = &exb->hints;
	struct scatterlist sg;
	struct page *page;

	page = alloc_pages(BLOCK_FLAGS, BLOCK_ORDER);
	if (!page)
		return false;
	sg_init_table(&sg, 1);
	sg_set_page(&sg, page, PAGE_SIZE << BLOCK_ORDER, 0);
	if (virtqueue_add_inbuf(hints->vq, &sg, 1, page, GFP_KERNEL)) {
		__free_pages(page, BLOCK_ORDER);
		return false;
	}
	virtqueue_kick(hints->vq);
	spin_lock_irq(&hints->lock);
	list_add(&page->lru, &hints->blocks);
	hints->count++;
	spin_unlock_irq(&hints->lock);
	return true;
}

/* Takes up to @count blocks back. Returns how many. */
static unsigned long take_back(struct exb_hints *hints, unsigned long count)
{
	unsigned long taken;
	struct page *page;

	for (taken = 0; taken < count; taken++) {
		spin_lock_irq(&hints->lock);
		page = list_first_entry_or_null(&hints->blocks, struct page,
						lru);
		if (page) {
			list_del(&page->lru);
			hints->count--;
		}
		spin_unlock_irq(&hints->lock);
		if (!page)
			break;
		__free_pages(page, BLOCK_ORDER);
	}
	return taken;
}

static void follow(struct work_struct *work)
{
	struct exb *exb = container_of(work, struct exb, hints.work);
	struct exb_hints *hints = &exb->hints;
	u32 id = read_id(exb);

	if (id == VIRTIO_BALLOON_CMD_ID_DONE) {
		take_back(hints, ULONG_MAX);
		return;
	}
	if (id == VIRTIO_BALLOON_CMD_ID_STOP || id == hints->active)
		return;

	if (!await_start(exb))
		return;
	/* BAL-HINT-2 */
	hints->active = id;
	hints->start = cpu_to_le32(id);
	hints->starting = true;
	send_id(exb, &hints->start);
	while (await_room(exb) && send_block(exb))
		cond_resched();
	send_id(exb, &hints->stop);
}

void exb_hints_config_changed(struct exb *exb)
{
	if (!exb->hints.vq)
		return;
	WRITE_ONCE(exb->hints.changed, true);
	wake_up(&exb->acked);
	exb_queue_work(exb, &exb->hints.work);
}

static unsigned long count_blocks(struct shrinker *shrinker,
				  struct shrink_control *control)
{
	struct exb *exb = exb_shrinker_owner(shrinker);

	return READ_ONCE(exb->hints.count) * BLOCK_PAGES;
}

static unsigned long shrink(struct shrinker *shrinker,
			    struct shrink_control *control)
{
	struct exb *exb = exb_shrinker_owner(shrinker);
	unsigned long blocks = DIV_ROUND_UP(control->nr_to_scan, BLOCK_PAGES);

	return take_back(&exb->hints, blocks) * BLOCK_PAGES;
}

void exb_hints_init(struct exb *exb)
{
	struct exb_hints *hints = &exb->hints;

	INIT_WORK(&hints->work, follow);
	spin_lock_init(&hints->lock);
	INIT_LIST_HEAD(&hints->blocks);
	hints->stop = cpu_to_le32(VIRTIO_BALLOON_CMD_ID_STOP);
}

static bool has_hints(struct exb *exb)
{
	return virtio_has_feature(exb->vdev, VIRTIO_BALLOON_F_FREE_PAGE_HINT);
}

int exb_hints_register(struct exb *exb)
{
	return has_hints(exb) ?
		exb_shrinker_register(&exb->hints.shrinker, exb, count_blocks,
				      shrink, "exomem-balloon") : 0;
}

void exb_hints_unregister(struct exb *exb)
{
	if (has_hints(exb))
		exb_shrinker_unregister(&exb->hints.shrinker);
}

/* Takes all back, for a device that is about to be reset. */
void exb_hints_release(struct exb *exb)
{
	take_back(&exb->hints, ULONG_MAX);
	exb->hints.active = VIRTIO_BALLOON_CMD_ID_STOP;
	exb->hints.starting = false;
}
