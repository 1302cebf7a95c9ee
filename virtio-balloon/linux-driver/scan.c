// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks for free pages in the allocator's records: which page descriptors are
 * heads of free blocks. Nothing is allocated, taken or changed.
 *
 * Descriptors are read under the lock of their zone, so that a block that is
 * seen free is free at that instant (FPB-BIT-1). Pages that are taken out for
 * a report are no free blocks then, nor are pages in the balloon (FPB-BIT-5).
 */
#include <linux/bitmap.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>

#include "compat.h"
#include "scan.h"

/* A zone's lock is held for that many descriptors, and that long, at most. */
#define HOLD_DESCRIPTORS 2048
#define HOLD_NS 100000

/* The clock is read once for that many descriptors. */
#define CLOCK_DESCRIPTORS 32

/* Returns the order of the free block that @page is the head of, or -1. */
static int free_order(struct zone *zone, struct page *page)
{
	unsigned long order;

	if (!PageBuddy(page) || page_zone(page) != zone)
		return -1;
	order = page_private(page);
	return order <= MAX_PAGE_ORDER ? order : -1;
}

static void mark(struct exb_scan *scan, unsigned long pfn, unsigned int order)
{
	unsigned long from = max(pfn, scan->from);
	unsigned long to = min(pfn + (1UL << order), scan->to);

	/* FPB-ANS-3 */
	if (from >= to || to - from < scan->smallest)
		return;
	bitmap_set(scan->map, from - scan->base, to - from);
	scan->pages += to - from;
	scan->borders |= from | to;
}

/*
 * Looks at the block that @pfn is in the middle of: one whose pages have come
 * together since the lock was dropped, or that reaches into the stretch.
 * Returns where it ends, or @pfn.
 */
static unsigned long look_around(struct exb_scan *scan, struct zone *zone,
				 unsigned long pfn)
{
	unsigned long head;
	int order, own;

	for (order = 1; order <= MAX_PAGE_ORDER; order++) {
		head = round_down(pfn, 1UL << order);
		if (head == pfn)
			continue;
		own = free_order(zone, pfn_to_page(head));
		if (own >= order) {
			mark(scan, head, own);
			return head + (1UL << own);
		}
	}
	return pfn;
}

/* Looks at the page @pfn. Returns where to go on. */
static unsigned long look_at(struct exb_scan *scan, struct zone *zone,
			     unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	int order = free_order(zone, page);

	if (order >= 0) {
		mark(scan, pfn, order);
		return pfn + (1UL << order);
	}
	/*
	 * Part of a page in use can't become a free block meanwhile: that needs
	 * the lock. The order can be wrong when the page is being freed.
	 */
	if (PageHead(page)) {
		order = compound_order(page);
		if (order <= MAX_PAGE_ORDER)
			return pfn + (1UL << order);
	}
	return pfn + 1;
}

static bool too_long(struct zone *zone, unsigned int looked, u64 started)
{
	if (looked % CLOCK_DESCRIPTORS)
		return false;
	return looked >= HOLD_DESCRIPTORS || spin_is_contended(&zone->lock) ||
	       local_clock() - started >= HOLD_NS;
}

/* Looks at some descriptors. Returns where to go on. */
static unsigned long step(struct exb_scan *scan, struct zone *zone,
			  unsigned long pfn, unsigned long end)
{
	unsigned long checked = pfn;
	unsigned int looked = 0;
	unsigned long flags;
	bool inside = true;
	u64 started, held;

	spin_lock_irqsave(&zone->lock, flags);
	started = local_clock();
	do {
		if (pfn >= checked) {
			/* Memory comes and goes in blocks of pages. */
			checked = round_down(pfn, pageblock_nr_pages) +
				  pageblock_nr_pages;
			if (!pfn_to_online_page(pfn) ||
			    (pfn >= scan->leaving_start &&
			     pfn < scan->leaving_end)) {
				pfn = checked;
				inside = false;
				continue;
			}
		}
		if (inside) {
			pfn = look_around(scan, zone, pfn);
			inside = false;
			if (pfn >= checked)
				continue;
		}
		pfn = look_at(scan, zone, pfn);
	} while (pfn < end && !too_long(zone, ++looked, started));
	held = local_clock() - started;
	spin_unlock_irqrestore(&zone->lock, flags);

	scan->longest_hold = max(scan->longest_hold, held);
	return pfn;
}

/**
 * exb_scan_stretch() - finds what is free in a part of a stretch.
 * @scan: where the result goes: map, base, pages and borders
 * @from: first page to look at
 * @to: the page after the last one, in the same stretch or its end
 */
void exb_scan_stretch(struct exb_scan *scan, unsigned long from,
		      unsigned long to)
{
	struct zone *zone;
	unsigned long pfn, end;
	int nid, i;

	bitmap_zero(scan->map, EXB_STRETCH);
	scan->base = round_down(from, EXB_STRETCH);
	scan->from = from;
	scan->to = to;
	scan->pages = 0;
	scan->borders = 0;

	mutex_lock(&scan->lock);
	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			if (!populated_zone(zone))
				continue;
			pfn = max(from, zone->zone_start_pfn);
			end = min(to, zone_end_pfn(zone));
			while (pfn < end) {
				pfn = step(scan, zone, pfn, end);
				cond_resched();
			}
		}
	}
	mutex_unlock(&scan->lock);
}

/**
 * exb_scan_next() - skips what no zone reaches.
 * @pfn: a page number
 *
 * Return: the lowest page number from @pfn on that a zone reaches, or ULONG_MAX.
 */
unsigned long exb_scan_next(unsigned long pfn)
{
	unsigned long next = ULONG_MAX;
	struct zone *zone;
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			if (populated_zone(zone) && pfn < zone_end_pfn(zone))
				next = min(next,
					   max(pfn, zone->zone_start_pfn));
		}
	}
	return next;
}

/*
 * Called before descriptors of memory that leaves the guest go away, and
 * between: whoever reads descriptors holds the lock.
 */
static int memory_changes(struct notifier_block *block, unsigned long action,
			  void *argument)
{
	struct exb_scan *scan = container_of(block, struct exb_scan, notifier);
	struct memory_notify *change = argument;

	switch (action) {
	case MEM_GOING_OFFLINE:
		mutex_lock(&scan->lock);
		scan->leaving_start = change->start_pfn;
		scan->leaving_end = change->start_pfn + change->nr_pages;
		mutex_unlock(&scan->lock);
		break;
	case MEM_CANCEL_OFFLINE:
	case MEM_OFFLINE:
		/* From here on these pages are not online any more, or again. */
		mutex_lock(&scan->lock);
		scan->leaving_start = 0;
		scan->leaving_end = 0;
		mutex_unlock(&scan->lock);
		break;
	}
	return NOTIFY_OK;
}

int exb_scan_init(struct exb_scan *scan)
{
	mutex_init(&scan->lock);
	scan->notifier.notifier_call = memory_changes;
	return register_memory_notifier(&scan->notifier);
}

void exb_scan_destroy(struct exb_scan *scan)
{
	unregister_memory_notifier(&scan->notifier);
}
