// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver of the virtio balloon that also tells free pages as bitmaps: the
 * device, its features and its queues.
 */
#include <linux/cc_platform.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "descriptors.h"
#include "exomem_balloon.h"

#define QUEUES 6

void exb_queue_work(struct exb *exb, struct work_struct *work)
{
	unsigned long flags;

	spin_lock_irqsave(&exb->stop_lock, flags);
	if (!exb->stopped)
		queue_work(exb->wq, work);
	spin_unlock_irqrestore(&exb->stop_lock, flags);
}

void exb_acked(struct virtqueue *vq)
{
	struct exb *exb = vq->vdev->priv;

	wake_up(&exb->acked);
}

/* Returns whether the device has used the only buffer, or has gone. */
bool exb_is_used(struct virtqueue *vq)
{
	unsigned int length;

	return virtqueue_get_buf(vq, &length) || virtqueue_is_broken(vq);
}

/* Finds the queues. BAL-Q-1, BAL-Q-2: those without a feature have no number. */
static int find_queues(struct exb *exb, bool with_bitmap)
{
	struct virtio_device *vdev = exb->vdev;
	vq_callback_t *callbacks[QUEUES];
	struct virtqueue **into[QUEUES];
	struct virtqueue *vqs[QUEUES];
	const char *names[QUEUES];
	struct virtqueue *bitmap = NULL;
	unsigned int count = 0, i;
	int error;

#define QUEUE(queue, callback, name)					\
	do {								\
		into[count] = queue;					\
		callbacks[count] = callback;				\
		names[count++] = name;					\
	} while (0)

	QUEUE(&exb->pages.inflate, exb_acked, "inflate");
	QUEUE(&exb->pages.deflate, exb_acked, "deflate");
	if (virtio_has_feature(vdev, VIRTIO_BALLOON_F_STATS_VQ))
		QUEUE(&exb->statistics.vq, exb_statistics_requested,
		      "statistics");
	if (virtio_has_feature(vdev, VIRTIO_BALLOON_F_FREE_PAGE_HINT))
		QUEUE(&exb->hints.vq, exb_acked, "hints");
	if (virtio_has_feature(vdev, VIRTIO_BALLOON_F_REPORTING))
		QUEUE(&exb->reports.vq, exb_acked, "reports");
	if (with_bitmap)
		QUEUE(&bitmap, exb_bitmap_notified, "bitmap");
#undef QUEUE

	error = exb_find_vqs(vdev, count, vqs, callbacks, names);
	if (error)
		return error;
	for (i = 0; i < count; i++)
		*into[i] = vqs[i];
	if (exb->bitmap)
		exb_bitmap_start(exb, bitmap);
	if (exb->statistics.vq)
		exb_statistics_prime(exb);
	return 0;
}

/* Sets the queues up and tells the device to begin. */
static int start(struct exb *exb)
{
	int error = find_queues(exb, exb->bitmap);

	/* FPB-FEAT-2 */
	if (error && exb->bitmap) {
		dev_info(&exb->vdev->dev,
			 "no free page bitmaps: the device has no queue for them\n");
		error = find_queues(exb, false);
	}
	if (error)
		return error;
	exb->stopped = false;
	virtio_device_ready(exb->vdev);
	if (exb->statistics.vq)
		virtqueue_kick(exb->statistics.vq);
	exb_bitmap_kick(exb);
	/* The device may have had a target for long. */
	exb_pages_config_changed(exb);
	exb_hints_config_changed(exb);
	return 0;
}

/* Gives all memory back and resets the device. */
static void stop(struct exb *exb)
{
	spin_lock_irq(&exb->stop_lock);
	exb->stopped = true;
	spin_unlock_irq(&exb->stop_lock);
	wake_up_all(&exb->acked);
	cancel_delayed_work_sync(&exb->pages.work);
	cancel_work_sync(&exb->statistics.work);
	cancel_work_sync(&exb->hints.work);
	exb_bitmap_stop(exb);
	exb_hints_release(exb);
	exb_pages_release(exb);
	virtio_reset_device(exb->vdev);
	exb->vdev->config->del_vqs(exb->vdev);
}

/* Tells the device what free pages hold. BAL-POI-1 */
static void write_poison(struct exb *exb)
{
	u32 value = 0;

	if (!virtio_has_feature(exb->vdev, VIRTIO_BALLOON_F_PAGE_POISON))
		return;
	if (!want_init_on_free())
		memset(&value, PAGE_POISON, sizeof(value));
	virtio_cwrite_le(exb->vdev, struct virtio_balloon_config, poison_val,
			 &value);
}

static void destroy(struct exb *exb)
{
	exb_bitmap_destroy(exb);
	if (exb->wq)
		destroy_workqueue(exb->wq);
	kfree(exb);
}

static int probe(struct virtio_device *vdev)
{
	struct exb *exb;
	int error;

	if (!vdev->config->get) {
		dev_err(&vdev->dev, "no access to the config space\n");
		return -EINVAL;
	}
	exb = kzalloc(sizeof(*exb), GFP_KERNEL);
	if (!exb)
		return -ENOMEM;
	vdev->priv = exb;
	exb->vdev = vdev;
	exb->stopped = true;
	spin_lock_init(&exb->stop_lock);
	init_waitqueue_head(&exb->acked);
	exb_pages_init(exb);
	exb_statistics_init(exb);
	exb_hints_init(exb);
	exb->wq = alloc_workqueue("exomem_balloon", WQ_UNBOUND | WQ_FREEZABLE,
				  0);
	error = exb->wq ? exb_bitmap_create(exb) : -ENOMEM;
	if (error)
		goto free;
	write_poison(exb);
	error = start(exb);
	if (error)
		goto free;
	error = exb_pages_register(exb);
	if (error)
		goto stop;
	error = exb_hints_register(exb);
	if (error)
		goto unregister_pages;
	error = exb_reports_register(exb);
	if (error)
		goto unregister_hints;
	return 0;

unregister_hints:
	exb_hints_unregister(exb);
unregister_pages:
	exb_pages_unregister(exb);
stop:
	stop(exb);
free:
	destroy(exb);
	return error;
}

static void remove(struct virtio_device *vdev)
{
	struct exb *exb = vdev->priv;

	/* Of a device that was pulled out, nobody wakes who waits for it. */
	wake_up_all(&exb->acked);
	exb_reports_unregister(exb);
	exb_hints_unregister(exb);
	exb_pages_unregister(exb);
	stop(exb);
	destroy(exb);
}

static void config_changed(struct virtio_device *vdev)
{
	struct exb *exb = vdev->priv;

	exb_pages_config_changed(exb);
	exb_hints_config_changed(exb);
}

static int validate(struct virtio_device *vdev)
{
	bool poisoned = want_init_on_free() || page_poisoning_enabled_static();

	if (!poisoned) {
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_PAGE_POISON);
	} else if (!__virtio_test_bit(vdev, VIRTIO_BALLOON_F_PAGE_POISON)) {
		/* The device would not keep what free pages hold: FPB-FEAT-3. */
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_REPORTING);
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_FREE_PAGE_BITMAP);
	}
	/* A device from before 1.0 has the guest's byte order. */
	if (!__virtio_test_bit(vdev, VIRTIO_F_VERSION_1))
		return -ENODEV;
	/* Nothing says how such a page is accepted again. */
	if (cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT))
		__virtio_clear_bit(vdev, VIRTIO_BALLOON_F_FREE_PAGE_BITMAP);
	/*
	 * A chunk has two descriptors: a table of their own would be allocated
	 * for each chunk. The queues have room for what is put into them.
	 */
	if (__virtio_test_bit(vdev, VIRTIO_BALLOON_F_FREE_PAGE_BITMAP))
		__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	/* The balloon's page numbers are the guest's, whatever an IOMMU says. */
	__virtio_clear_bit(vdev, VIRTIO_F_ACCESS_PLATFORM);
	return 0;
}

#ifdef CONFIG_PM_SLEEP
/* The work queue is frozen already. */
static int freeze(struct virtio_device *vdev)
{
	struct exb *exb = vdev->priv;

	exb_reports_unregister(exb);
	stop(exb);
	return 0;
}

static int restore(struct virtio_device *vdev)
{
	struct exb *exb = vdev->priv;
	int error;

	write_poison(exb);
	error = start(exb);
	if (error)
		return error;
	return exb_reports_register(exb);
}
#endif

static const unsigned int features[] = {
	VIRTIO_BALLOON_F_MUST_TELL_HOST,
	VIRTIO_BALLOON_F_STATS_VQ,
	VIRTIO_BALLOON_F_DEFLATE_ON_OOM,
	VIRTIO_BALLOON_F_FREE_PAGE_HINT,
	VIRTIO_BALLOON_F_PAGE_POISON,
	VIRTIO_BALLOON_F_REPORTING,
	VIRTIO_BALLOON_F_FREE_PAGE_BITMAP,
};

static const struct virtio_device_id ids[] = {
	{ VIRTIO_ID_BALLOON, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, ids);

static const struct attribute_group *groups[] = {
	&exb_bitmap_group,
	NULL,
};

static struct virtio_driver exomem_balloon_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.dev_groups = groups,
	.id_table = ids,
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.validate = validate,
	.probe = probe,
	.remove = remove,
	.config_changed = config_changed,
#ifdef CONFIG_PM_SLEEP
	.freeze = freeze,
	.restore = restore,
#endif
};

static int __init exomem_balloon_init(void)
{
	int error = exb_descriptors_init();

	if (error)
		return error;
	error = register_virtio_driver(&exomem_balloon_driver);
	if (error)
		exb_descriptors_exit();
	return error;
}
module_init(exomem_balloon_init);

static void __exit exomem_balloon_exit(void)
{
	unregister_virtio_driver(&exomem_balloon_driver);
	exb_descriptors_exit();
}
module_exit(exomem_balloon_exit);

MODULE_DESCRIPTION("Virtio balloon that tells free pages as bitmaps");
MODULE_LICENSE("GPL");
