/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where Linux 6.1 and newer kernels differ. Nothing else in this driver asks
 * for the kernel's version, but Kbuild, for what the version does not tell.
 */
#ifndef EXOMEM_BALLOON_COMPAT_H
#define EXOMEM_BALLOON_COMPAT_H

#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page_reporting.h>
#include <linux/shrinker.h>
#include <linux/version.h>
#include <linux/virtio_config.h>
#include <linux/vmstat.h>

#if __has_include(<linux/balloon.h>)
#include <linux/balloon.h>
/* The core counts managed pages, and swaps pages that it migrates. */
#define EXB_CORE_SWAPS_PAGES 1
#else
#include <linux/balloon_compaction.h>
#define EXB_CORE_SWAPS_PAGES 0
#endif

#if defined(CONFIG_BALLOON_COMPACTION) || defined(CONFIG_BALLOON_MIGRATION)
#define EXB_MIGRATION 1
#else
#define EXB_MIGRATION 0
#endif

#ifndef MAX_PAGE_ORDER
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define MAX_PAGE_ORDER (MAX_ORDER - 1)
#else
#define MAX_PAGE_ORDER MAX_ORDER
#endif
#endif

/* What an unset order of reports is: 0, where the core knows no such name. */
#ifndef PAGE_REPORTING_ORDER_UNSPECIFIED
#define PAGE_REPORTING_ORDER_UNSPECIFIED 0
#endif

/* The name before that. Kbuild looks: older kernels were given the new one. */
#if !EXB_CORE_SWAPS_PAGES && !defined(EXB_HAS_FINALIZE)
#define balloon_page_finalize(page) balloon_page_delete(page)
#endif

/* How PageBuddy() knows the head of a free block from its page_type. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
/* Bits that are clear. */
#define EXB_MARK_MASK ((u32)(PAGE_TYPE_BASE | PG_buddy))
#define EXB_MARK_VALUE ((u32)PAGE_TYPE_BASE)
#else
/* A number in the highest byte. */
#define EXB_MARK_MASK 0xff000000U
#define EXB_MARK_VALUE ((u32)PGTY_buddy << 24)
#endif

static inline int exb_find_vqs(struct virtio_device *vdev, unsigned int count,
			       struct virtqueue *vqs[],
			       vq_callback_t *callbacks[],
			       const char * const names[])
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	return virtio_find_vqs(vdev, count, vqs, callbacks, names, NULL);
#else
	struct virtqueue_info info[8] = {};
	unsigned int i;

	if (WARN_ON(count > ARRAY_SIZE(info)))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		info[i].name = names[i];
		info[i].callback = callbacks[i];
	}
	return virtio_find_vqs(vdev, count, vqs, info, NULL);
#endif
}

/* What reclaim has looked at and taken: an event, or a statistic of nodes. */
static inline unsigned long exb_reclaim(const unsigned long *events, int item)
{
#ifdef EXB_RECLAIM_EVENTS
	return events[item];
#else
	return global_node_page_state(item);
#endif
}

#if EXB_CORE_SWAPS_PAGES
static inline void exb_count_managed(struct balloon_dev_info *info, bool all)
{
	info->adjust_managed_page_count = all;
}

static inline void exb_adjust_managed(struct page *page, bool all, long count)
{
}
#else
static inline void exb_count_managed(struct balloon_dev_info *info, bool all)
{
}

static inline void exb_adjust_managed(struct page *page, bool all, long count)
{
	if (all)
		adjust_managed_page_count(page, count);
}
#endif

/* A shrinker that has an owner. */
struct exb_shrinker {
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	struct shrinker shrinker;
	void *owner;
#else
	struct shrinker *shrinker;
#endif
};

typedef unsigned long (exb_shrink_t)(struct shrinker *shrinker,
				     struct shrink_control *control);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline int exb_shrinker_register(struct exb_shrinker *s, void *owner,
					exb_shrink_t *count, exb_shrink_t *scan,
					const char *name)
{
	s->owner = owner;
	s->shrinker.count_objects = count;
	s->shrinker.scan_objects = scan;
	s->shrinker.seeks = DEFAULT_SEEKS;
	return register_shrinker(&s->shrinker, "%s", name);
}

static inline void exb_shrinker_unregister(struct exb_shrinker *s)
{
	unregister_shrinker(&s->shrinker);
}

static inline void *exb_shrinker_owner(struct shrinker *shrinker)
{
	return container_of(shrinker, struct exb_shrinker, shrinker)->owner;
}
#else
static inline int exb_shrinker_register(struct exb_shrinker *s, void *owner,
					exb_shrink_t *count, exb_shrink_t *scan,
					const char *name)
{
	s->shrinker = shrinker_alloc(0, "%s", name);
	if (!s->shrinker)
		return -ENOMEM;
	s->shrinker->private_data = owner;
	s->shrinker->count_objects = count;
	s->shrinker->scan_objects = scan;
	shrinker_register(s->shrinker);
	return 0;
}

static inline void exb_shrinker_unregister(struct exb_shrinker *s)
{
	shrinker_free(s->shrinker);
}

static inline void *exb_shrinker_owner(struct shrinker *shrinker)
{
	return shrinker->private_data;
}
#endif

#endif
