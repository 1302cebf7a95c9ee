/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells the device where the allocator's records are.
 */
#ifndef EXOMEM_BALLOON_DESCRIPTORS_H
#define EXOMEM_BALLOON_DESCRIPTORS_H

#include <linux/types.h>

/* What a message needs at most. */
#define EXB_DESCRIPTORS_BYTES 4128

/*
 * How far telling is.
 *
 * @zone: number of the zone, counted over all nodes
 * @pfn: where to go on in it
 * @pages: how many pages' descriptors were told
 */
struct exb_descriptors {
	unsigned int zone;
	unsigned long pfn;
	u64 pages;
};

#if defined(CONFIG_X86_64) && defined(CONFIG_SPARSEMEM_VMEMMAP)
int exb_descriptors_init(void);
void exb_descriptors_exit(void);
const char *exb_descriptors_begin(struct exb_descriptors *descriptors);
unsigned int exb_descriptors_next(struct exb_descriptors *descriptors,
				  void *message);
#else
static inline int exb_descriptors_init(void)
{
	return 0;
}

static inline void exb_descriptors_exit(void)
{
}

static inline const char *exb_descriptors_begin(struct exb_descriptors *d)
{
	return "not known for this machine";
}

static inline unsigned int exb_descriptors_next(struct exb_descriptors *d,
						void *message)
{
	return 0;
}
#endif

#endif
