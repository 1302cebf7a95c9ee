// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free page reporting: the core isolates free blocks now and then, and gives
 * them back when the device has used the buffers.
 */
#include <linux/scatterlist.h>

#include "exomem_balloon.h"

static int report(struct page_reporting_dev_info *info,
		  struct scatterlist *sg, unsigned int count)
{
	struct exb *exb = container_of(info, struct exb, reports.info);
	struct virtqueue *vq = exb->reports.vq;
	int error;

	error = virtqueue_add_inbuf(vq, sg, count, exb,
				    GFP_NOWAIT | __GFP_NOWARN);
	if (error)
		return error;
	virtqueue_kick(vq);
	/* BAL-REP-1 */
	wait_event(exb->acked, exb_is_used(vq));
	return 0;
}

int exb_reports_register(struct exb *exb)
{
	struct exb_reports *reports = &exb->reports;

	if (!reports->vq)
		return 0;
	if (virtqueue_get_vring_size(reports->vq) < PAGE_REPORTING_CAPACITY) {
		dev_warn(&exb->vdev->dev,
			 "no reports: their queue is too short\n");
		reports->vq = NULL;
		return 0;
	}
	memset(&reports->info, 0, sizeof(reports->info));
	reports->info.report = report;
	reports->info.order = PAGE_REPORTING_ORDER_UNSPECIFIED;
	return page_reporting_register(&reports->info);
}

void exb_reports_unregister(struct exb *exb)
{
	if (exb->reports.vq)
		page_reporting_unregister(&exb->reports.info);
}
