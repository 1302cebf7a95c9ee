/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver of the virtio balloon that also tells free pages as bitmaps.
 *
 * Names in capitals with a number, such as FPB-ANS-1 and BAL-INF-1, are rules
 * of the specification: spec/free-page-bitmap.md and spec/balloon.md.
 */
#ifndef EXOMEM_BALLOON_H
#define EXOMEM_BALLOON_H

#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/page_reporting.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/vm_event_item.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"

#define VIRTIO_BALLOON_F_FREE_PAGE_BITMAP 58

/* BAL-CFG-1: the device counts in pages of 4096 bytes. */
#define EXB_PER_PAGE (PAGE_SIZE >> VIRTIO_BALLOON_PFN_SHIFT)

/* Page numbers in one buffer, BAL-INF-2. */
#define EXB_PFNS 256

#define EXB_STATISTICS 16

struct exb_bitmap;

/*
 * The pages in the balloon.
 *
 * @count: how much is in the balloon, in pages of 4096 bytes
 */
struct exb_pages {
	struct virtqueue *inflate;
	struct virtqueue *deflate;
	struct delayed_work work;
	struct notifier_block oom;
	struct mutex lock;	/* of what follows, and of both queues */
	struct balloon_dev_info info;
	u32 count;
	unsigned int pfns_used;
	__le32 pfns[EXB_PFNS];
};

/*
 * @events: all of the kernel's, too many for a stack
 */
struct exb_statistics {
	struct virtqueue *vq;
	struct work_struct work;
	unsigned long events[NR_VM_EVENT_ITEMS];
	struct virtio_balloon_stat values[EXB_STATISTICS];
};

/*
 * Free page hinting.
 *
 * @changed: the command id may be another one since it was read
 * @starting: the device has @start
 * @blocks: what was hinted and not yet taken back
 */
struct exb_hints {
	struct virtqueue *vq;
	struct work_struct work;
	struct exb_shrinker shrinker;
	bool changed;
	bool starting;
	u32 active;
	__le32 start;
	__le32 stop;
	spinlock_t lock;	/* of @blocks and @count */
	struct list_head blocks;
	unsigned long count;
};

struct exb_reports {
	struct virtqueue *vq;
	struct page_reporting_dev_info info;
};

/*
 * @acked: what waits for the device to use a buffer waits here
 * @stopped: callbacks queue no work any more
 */
struct exb {
	struct virtio_device *vdev;
	struct workqueue_struct *wq;
	wait_queue_head_t acked;
	spinlock_t stop_lock;	/* of @stopped */
	bool stopped;
	struct exb_pages pages;
	struct exb_statistics statistics;
	struct exb_hints hints;
	struct exb_reports reports;
	struct exb_bitmap *bitmap;
};

/* main.c */
void exb_queue_work(struct exb *exb, struct work_struct *work);
void exb_acked(struct virtqueue *vq);
bool exb_is_used(struct virtqueue *vq);

/* pages.c */
void exb_pages_init(struct exb *exb);
int exb_pages_register(struct exb *exb);
void exb_pages_unregister(struct exb *exb);
void exb_pages_config_changed(struct exb *exb);
void exb_pages_release(struct exb *exb);

/* statistics.c */
void exb_statistics_init(struct exb *exb);
void exb_statistics_prime(struct exb *exb);
void exb_statistics_requested(struct virtqueue *vq);

/* hints.c */
void exb_hints_init(struct exb *exb);
int exb_hints_register(struct exb *exb);
void exb_hints_unregister(struct exb *exb);
void exb_hints_config_changed(struct exb *exb);
void exb_hints_release(struct exb *exb);

/* reports.c */
int exb_reports_register(struct exb *exb);
void exb_reports_unregister(struct exb *exb);

/* bitmap.c */
int exb_bitmap_create(struct exb *exb);
void exb_bitmap_destroy(struct exb *exb);
void exb_bitmap_start(struct exb *exb, struct virtqueue *vq);
void exb_bitmap_kick(struct exb *exb);
void exb_bitmap_stop(struct exb *exb);
void exb_bitmap_notified(struct virtqueue *vq);
extern const struct attribute_group exb_bitmap_group;

#endif
