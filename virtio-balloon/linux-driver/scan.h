/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks for free pages in the allocator's records.
 */
#ifndef EXOMEM_BALLOON_SCAN_H
#define EXOMEM_BALLOON_SCAN_H

#include <linux/bits.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/types.h>

/* Memory is looked at in stretches of that many pages, aligned to it. */
#define EXB_STRETCH_ORDER 15
#define EXB_STRETCH BIT(EXB_STRETCH_ORDER)

/*
 * @leaving_start: memory that is going offline is not looked at
 * @base: first page of the stretch that @map describes
 * @from: where looking begins in this stretch
 * @to: where it ends
 * @smallest: of the blocks that are told, in pages
 * @map: a bit for each page of the stretch that was free
 * @pages: how many bits are set
 * @borders: all page numbers, or-ed, at which a run of free pages begins or ends
 * @longest_hold: the longest time that a zone's lock was held, in nanoseconds
 */
struct exb_scan {
	struct mutex lock;	/* held while descriptors are read */
	struct notifier_block notifier;
	unsigned long leaving_start;
	unsigned long leaving_end;
	unsigned long base;
	unsigned long from;
	unsigned long to;
	unsigned long smallest;
	unsigned long pages;
	unsigned long borders;
	u64 longest_hold;
	DECLARE_BITMAP(map, EXB_STRETCH);
};

int exb_scan_init(struct exb_scan *scan);
void exb_scan_destroy(struct exb_scan *scan);
unsigned long exb_scan_next(unsigned long pfn);
void exb_scan_stretch(struct exb_scan *scan, unsigned long from,
		      unsigned long to);

#endif
