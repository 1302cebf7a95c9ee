// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory statistics. The device asks for new values by using the only buffer,
 * BAL-STAT-1.
 */
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/vmstat.h>

#include "exomem_balloon.h"

/* Tags that the headers of Linux 6.1 don't have. */
enum {
	TAG_OOM_KILLS = 10,
	TAG_STALLS = 11,
	TAG_ASYNC_SCANNED = 12,
	TAG_DIRECT_SCANNED = 13,
	TAG_ASYNC_RECLAIMED = 14,
	TAG_DIRECT_RECLAIMED = 15,
};

static unsigned long stalls(const unsigned long *events)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		sum += events[ALLOCSTALL_NORMAL - ZONE_NORMAL + i];
	return sum;
}

static unsigned int collect(struct exb *exb)
{
	struct virtio_balloon_stat *values = exb->statistics.values;
	unsigned long *events = exb->statistics.events;
	unsigned int count = 0;
	struct sysinfo info;

#define ADD(name, number)						\
	do {								\
		values[count].tag = cpu_to_virtio16(exb->vdev, name);	\
		values[count++].val = cpu_to_virtio64(exb->vdev, number); \
	} while (0)
#define BYTES(pages) ((u64)(pages) << PAGE_SHIFT)

	all_vm_events(events);
	si_meminfo(&info);
	ADD(VIRTIO_BALLOON_S_SWAP_IN, BYTES(events[PSWPIN]));
	ADD(VIRTIO_BALLOON_S_SWAP_OUT, BYTES(events[PSWPOUT]));
	ADD(VIRTIO_BALLOON_S_MAJFLT, events[PGMAJFAULT]);
	ADD(VIRTIO_BALLOON_S_MINFLT, events[PGFAULT]);
	ADD(VIRTIO_BALLOON_S_MEMFREE, BYTES(info.freeram));
	ADD(VIRTIO_BALLOON_S_MEMTOT, BYTES(info.totalram));
	ADD(VIRTIO_BALLOON_S_AVAIL, BYTES(si_mem_available()));
	ADD(VIRTIO_BALLOON_S_CACHES,
	    BYTES(global_node_page_state(NR_FILE_PAGES)));
#ifdef CONFIG_HUGETLB_PAGE
	ADD(VIRTIO_BALLOON_S_HTLB_PGALLOC, events[HTLB_BUDDY_PGALLOC]);
	ADD(VIRTIO_BALLOON_S_HTLB_PGFAIL, events[HTLB_BUDDY_PGALLOC_FAIL]);
#endif
	ADD(TAG_OOM_KILLS, events[OOM_KILL]);
	ADD(TAG_STALLS, stalls(events));
	ADD(TAG_ASYNC_SCANNED, BYTES(exb_reclaim(events, PGSCAN_KSWAPD)));
	ADD(TAG_DIRECT_SCANNED, BYTES(exb_reclaim(events, PGSCAN_DIRECT)));
	ADD(TAG_ASYNC_RECLAIMED, BYTES(exb_reclaim(events, PGSTEAL_KSWAPD)));
	ADD(TAG_DIRECT_RECLAIMED, BYTES(exb_reclaim(events, PGSTEAL_DIRECT)));
#undef ADD
#undef BYTES
	return count;
}

static void add_buffer(struct exb *exb)
{
	struct scatterlist sg;

	sg_init_one(&sg, exb->statistics.values,
		    collect(exb) * sizeof(exb->statistics.values[0]));
	/* BAL-STAT-2: there is room, as no other buffer is there. */
	virtqueue_add_outbuf(exb->statistics.vq, &sg, 1, exb, GFP_KERNEL);
}

static void answer(struct work_struct *work)
{
	struct exb *exb = container_of(work, struct exb, statistics.work);
	unsigned int length;

	if (!virtqueue_get_buf(exb->statistics.vq, &length))
		return;
	add_buffer(exb);
	virtqueue_kick(exb->statistics.vq);
}

void exb_statistics_requested(struct virtqueue *vq)
{
	struct exb *exb = vq->vdev->priv;

	exb_queue_work(exb, &exb->statistics.work);
}

void exb_statistics_init(struct exb *exb)
{
	INIT_WORK(&exb->statistics.work, answer);
}

/* Gives the device the buffer that it asks with. */
void exb_statistics_prime(struct exb *exb)
{
	add_buffer(exb);
}
