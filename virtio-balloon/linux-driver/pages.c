// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inflating and deflating.
 */
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/scatterlist.h>
#include <linux/virtio_config.h>

#include "exomem_balloon.h"

/* Pages given back when the guest is out of memory, at each call. */
#define OOM_PAGES 256

/* Other owners of memory than the balloon are asked later. */
#define OOM_PRIORITY 80

#define RETRY (HZ / 5)

/* With DEFLATE_ON_OOM, a page in the balloon still counts as the guest's. */
static bool counts_managed(struct exb *exb)
{
	return !virtio_has_feature(exb->vdev, VIRTIO_BALLOON_F_DEFLATE_ON_OOM);
}

static void add_pfns(struct exb_pages *pages, struct page *page)
{
	u32 pfn = page_to_pfn(page) * EXB_PER_PAGE;
	unsigned int i;

	for (i = 0; i < EXB_PER_PAGE; i++)
		pages->pfns[pages->pfns_used++] = cpu_to_le32(pfn + i);
}

/* Hands the page numbers over, and returns when the device has used them. */
static void tell(struct exb *exb, struct virtqueue *vq)
{
	struct exb_pages *pages = &exb->pages;
	struct scatterlist sg;

	if (!pages->pfns_used)
		return;
	sg_init_one(&sg, pages->pfns,
		    pages->pfns_used * sizeof(pages->pfns[0]));
	/* Fails only when the device has gone. */
	if (!virtqueue_add_outbuf(vq, &sg, 1, pages, GFP_KERNEL)) {
		virtqueue_kick(vq);
		wait_event(exb->acked, exb_is_used(vq));
	}
	pages->pfns_used = 0;
}

/* BAL-CFG-2. Under the lock, or an older count could be the last. */
static void write_actual(struct exb *exb)
{
	virtio_cwrite_le(exb->vdev, struct virtio_balloon_config, actual,
			 &exb->pages.count);
}

static u32 inflate(struct exb *exb, u32 wanted)
{
	struct exb_pages *pages = &exb->pages;
	struct page *page, *next;
	u32 allocated = 0;
	LIST_HEAD(list);

	/*
	 * Allocated without the lock: what runs when memory is out takes it.
	 */
	wanted = min_t(u32, wanted, EXB_PFNS);
	while (allocated < wanted) {
		page = balloon_page_alloc();
		if (!page) {
			dev_info_ratelimited(&exb->vdev->dev,
					     "no memory for the balloon\n");
			break;
		}
		list_add(&page->lru, &list);
		allocated += EXB_PER_PAGE;
	}

	mutex_lock(&pages->lock);
	list_for_each_entry_safe(page, next, &list, lru) {
		list_del(&page->lru);
		add_pfns(pages, page);
		exb_adjust_managed(page, counts_managed(exb), -1);
		balloon_page_enqueue(&pages->info, page);
	}
	pages->count += allocated;
	tell(exb, pages->inflate);
	if (allocated)
		write_actual(exb);
	mutex_unlock(&pages->lock);
	return allocated;
}

static u32 deflate(struct exb *exb, u32 wanted)
{
	struct exb_pages *pages = &exb->pages;
	struct page *page, *next;
	u32 taken = 0;
	LIST_HEAD(list);

	wanted = min_t(u32, wanted, EXB_PFNS);
	mutex_lock(&pages->lock);
	/* The core ends the kernel over a page that is not there. */
	wanted = min(wanted, pages->count);
	while (taken < wanted) {
		page = balloon_page_dequeue(&pages->info);
		if (!page)
			break;
		add_pfns(pages, page);
		list_add(&page->lru, &list);
		taken += EXB_PER_PAGE;
	}
	pages->count -= taken;
	/* BAL-FEAT-2 and FPB-BIT-5: free when the device knows, not before. */
	tell(exb, pages->deflate);
	list_for_each_entry_safe(page, next, &list, lru) {
		list_del(&page->lru);
		exb_adjust_managed(page, counts_managed(exb), 1);
		put_page(page);
	}
	if (taken)
		write_actual(exb);
	mutex_unlock(&pages->lock);
	return taken;
}

/* One buffer at a time, so that a new target is followed at once. */
static void resize(struct work_struct *work)
{
	struct exb *exb = container_of(to_delayed_work(work), struct exb,
				       pages.work);
	unsigned long flags;
	u32 target, moved;
	s64 difference;

	virtio_cread_le(exb->vdev, struct virtio_balloon_config, num_pages,
			&target);
	difference = (s64)round_down(target, EXB_PER_PAGE) - exb->pages.count;
	if (!difference)
		return;
	if (difference > 0)
		moved = inflate(exb, min_t(s64, difference, EXB_PFNS));
	else
		moved = deflate(exb, min_t(s64, -difference, EXB_PFNS));
	if (moved == abs(difference))
		return;
	spin_lock_irqsave(&exb->stop_lock, flags);
	if (!exb->stopped)
		queue_delayed_work(exb->wq, &exb->pages.work,
				   moved ? 0 : RETRY);
	spin_unlock_irqrestore(&exb->stop_lock, flags);
}

void exb_pages_config_changed(struct exb *exb)
{
	unsigned long flags;

	spin_lock_irqsave(&exb->stop_lock, flags);
	if (!exb->stopped)
		mod_delayed_work(exb->wq, &exb->pages.work, 0);
	spin_unlock_irqrestore(&exb->stop_lock, flags);
}

/* BAL-FEAT-3 */
static int memory_is_out(struct notifier_block *block, unsigned long unused,
			 void *freed)
{
	struct exb *exb = container_of(block, struct exb, pages.oom);

	*(unsigned long *)freed += deflate(exb, OOM_PAGES) / EXB_PER_PAGE;
	return NOTIFY_OK;
}

#if EXB_MIGRATION
/* Swaps a page in the balloon for another one; called by compaction. */
static int migrate(struct balloon_dev_info *info, struct page *to,
		   struct page *from, enum migrate_mode mode)
{
	struct exb *exb = container_of(info, struct exb, pages.info);
	struct exb_pages *pages = &exb->pages;

	/*
	 * Whoever holds the lock may wait for memory, and so for compaction.
	 * It tries again later.
	 */
	if (!mutex_trylock(&pages->lock))
		return -EAGAIN;

#if !EXB_CORE_SWAPS_PAGES
	if (page_zone(from) != page_zone(to)) {
		exb_adjust_managed(from, counts_managed(exb), 1);
		exb_adjust_managed(to, counts_managed(exb), -1);
	}
	get_page(to);
	spin_lock_irq(&info->pages_lock);
	balloon_page_insert(info, to);
	info->isolated_pages--;
	spin_unlock_irq(&info->pages_lock);
	__count_vm_event(BALLOON_MIGRATE);
#endif
	add_pfns(pages, to);
	tell(exb, pages->inflate);
#if !EXB_CORE_SWAPS_PAGES
	spin_lock_irq(&info->pages_lock);
	balloon_page_finalize(from);
	spin_unlock_irq(&info->pages_lock);
#endif
	add_pfns(pages, from);
	tell(exb, pages->deflate);
	mutex_unlock(&pages->lock);
#if !EXB_CORE_SWAPS_PAGES
	put_page(from);
#endif
	return 0;
}
#endif

void exb_pages_init(struct exb *exb)
{
	struct exb_pages *pages = &exb->pages;

	mutex_init(&pages->lock);
	INIT_DELAYED_WORK(&pages->work, resize);
	balloon_devinfo_init(&pages->info);
	exb_count_managed(&pages->info, counts_managed(exb));
#if EXB_MIGRATION
	pages->info.migratepage = migrate;
#endif
	pages->oom.notifier_call = memory_is_out;
	pages->oom.priority = OOM_PRIORITY;
}

int exb_pages_register(struct exb *exb)
{
	return counts_managed(exb) ? 0 :
		register_oom_notifier(&exb->pages.oom);
}

void exb_pages_unregister(struct exb *exb)
{
	if (!counts_managed(exb))
		unregister_oom_notifier(&exb->pages.oom);
}

/* Empties the balloon. Nobody else inflates any more. */
void exb_pages_release(struct exb *exb)
{
	while (exb->pages.count) {
		/* A page that compaction has isolated comes back soon. */
		if (!deflate(exb, exb->pages.count))
			schedule_timeout_uninterruptible(1);
	}
}
