// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio balloon driver for tests only. It answers requests for free pages
 * in the format of 2016 (FPB-RFC-1 to FPB-RFC-3 in spec/free-page-bitmap.md),
 * and has no other function.
 */
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "scan.h"

#define F_GET_FREE_PAGES 3

/* The queues before it are inflate and deflate. There are no other queues. */
#define FREE_PAGES 2
#define QUEUES 3

#define FOUR_GIB (SZ_4G >> PAGE_SHIFT)

struct answer {
	__le64 count;
	__le64 bytes;
	u8 bitmap[];
};

/*
 * @low_mem: the request, written by the device
 * @answer: the answer, with a bit for each page number below @end
 */
struct rfc {
	struct virtqueue *vqs[QUEUES];
	struct work_struct work;
	__le64 low_mem;
	unsigned long end;
	struct answer *answer;
	struct exb_scan scan;
};

/* Makes the request buffer available, after @bytes of the answer. */
static void add(struct rfc *rfc, size_t bytes)
{
	struct virtqueue *vq = rfc->vqs[FREE_PAGES];
	struct scatterlist readable, writable;
	struct scatterlist *sgs[] = { &readable, &writable };

	sg_init_one(&readable, rfc->answer, bytes);
	sg_init_one(&writable, &rfc->low_mem, sizeof(rfc->low_mem));
	if (bytes)
		virtqueue_add_sgs(vq, sgs, 1, 1, rfc, GFP_KERNEL);
	else
		virtqueue_add_inbuf(vq, &writable, 1, rfc, GFP_KERNEL);
	virtqueue_kick(vq);
}

/* Implements FPB-RFC-1. Returns the number of bytes of the answer to send. */
static size_t look(struct rfc *rfc)
{
	unsigned long hole = FOUR_GIB -
			     (le64_to_cpu(rfc->low_mem) >> PAGE_SHIFT);
	unsigned long pfn, page, bit, last = 0;
	struct exb_scan *scan = &rfc->scan;
	u64 count = 0;
	size_t bytes;

	memset(rfc->answer->bitmap, 0, DIV_ROUND_UP(rfc->end, 8));
	for (pfn = exb_scan_next(0); pfn < rfc->end; pfn = exb_scan_next(pfn)) {
		page = pfn;
		pfn = min(rfc->end, round_down(pfn, EXB_STRETCH) + EXB_STRETCH);
		exb_scan_stretch(scan, page, pfn);
		for_each_set_bit(bit, scan->map, EXB_STRETCH) {
			page = scan->base + bit;
			last = page < FOUR_GIB ? page : page - hole;
			__set_bit_le(last, rfc->answer->bitmap);
			count++;
		}
	}
	bytes = last / 8 + 1;
	rfc->answer->count = cpu_to_le64(count);
	rfc->answer->bytes = cpu_to_le64(bytes);
	return sizeof(*rfc->answer) + bytes;
}

static void work(struct work_struct *work)
{
	struct rfc *rfc = container_of(work, struct rfc, work);
	unsigned int length;

	if (virtqueue_get_buf(rfc->vqs[FREE_PAGES], &length))
		add(rfc, length >= sizeof(rfc->low_mem) ? look(rfc) : 0);
}

static void notified(struct virtqueue *vq)
{
	struct rfc *rfc = vq->vdev->priv;

	schedule_work(&rfc->work);
}

static void ignore(struct virtqueue *vq)
{
}

static unsigned long last_pfn(void)
{
	unsigned long end = 0;
	int nid, i;

	for_each_online_node(nid)
		for (i = 0; i < MAX_NR_ZONES; i++)
			end = max(end, zone_end_pfn(&NODE_DATA(nid)->node_zones[i]));
	return end;
}

static void destroy(struct rfc *rfc)
{
	exb_scan_destroy(&rfc->scan);
	kfree(rfc->answer);
	kfree(rfc);
}

static int probe(struct virtio_device *vdev)
{
	static const char * const names[] = { "inflate", "deflate",
					      "free pages" };
	vq_callback_t *callbacks[] = { ignore, ignore, notified };
	struct rfc *rfc;
	int error;

	if (!virtio_has_feature(vdev, F_GET_FREE_PAGES))
		return -ENODEV;
	rfc = kzalloc(sizeof(*rfc), GFP_KERNEL);
	if (!rfc)
		return -ENOMEM;
	error = exb_scan_init(&rfc->scan);
	if (error) {
		kfree(rfc);
		return error;
	}
	vdev->priv = rfc;
	INIT_WORK(&rfc->work, work);
	rfc->scan.smallest = 1;
	rfc->end = last_pfn();
	rfc->answer = kzalloc(sizeof(*rfc->answer) + DIV_ROUND_UP(rfc->end, 8),
			      GFP_KERNEL);
	error = rfc->answer ? exb_find_vqs(vdev, QUEUES, rfc->vqs, callbacks,
					   names) : -ENOMEM;
	if (error) {
		destroy(rfc);
		return error;
	}
	virtio_device_ready(vdev);
	add(rfc, 0);
	return 0;
}

static void remove(struct virtio_device *vdev)
{
	struct rfc *rfc = vdev->priv;

	virtio_reset_device(vdev);
	cancel_work_sync(&rfc->work);
	vdev->config->del_vqs(vdev);
	destroy(rfc);
}

static const unsigned int features[] = { F_GET_FREE_PAGES };

static const struct virtio_device_id ids[] = {
	{ VIRTIO_ID_BALLOON, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, ids);

static struct virtio_driver rfc_balloon_driver = {
	.driver.name = KBUILD_MODNAME,
	.id_table = ids,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.probe = probe,
	.remove = remove,
};
module_virtio_driver(rfc_balloon_driver);

MODULE_DESCRIPTION("Virtio balloon that reports free pages in the format of 2016");
MODULE_LICENSE("GPL");
