// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page descriptors: tells the device where the allocator's records are, so
 * that it can see at a pause what is free, without the guest. See
 * spec/free-page-bitmap.md, "Settled at a pause".
 *
 * What was told outlives the device in one case: one that is unplugged just
 * before its guest moves (FPB-DESC-12). So the guards are words of the kernel
 * and of this module, and the module watches what would make them wrong.
 *
 * Only memory that was there at boot is told, of which the descriptors are
 * mapped by entries of the page table for 2 MiB. Such an entry is a guard: a
 * kernel that moves descriptors, as for huge pages with
 * hugetlb_free_vmemmap=on, splits the entry first.
 */
#include <linux/kernel.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/pgtable.h>
#include <linux/printk.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/suspend.h>

#include "compat.h"
#include "descriptors.h"

#define GUARDS 32

struct guard {
	__le64 address;
	__le32 mask;
	__le32 value;
};

struct told_range {
	__le64 address;
	__le64 pages;
	__le64 descriptors;
	__le32 guards;
	__le32 reserved;
};

#define HEADER 32
#define RANGES ((EXB_DESCRIPTORS_BYTES - HEADER -			\
		 GUARDS * sizeof(struct guard)) / sizeof(struct told_range))

struct message {
	__le32 id;
	__le16 type;
	__le16 flags;
	u8 page_shift;
	u8 most_order;
	__le16 stride;
	__le16 mark_offset;
	__le16 order_offset;
	__le32 mark_mask;
	__le32 mark_value;
	__le16 nr_guards;
	__le16 reserved;
	__le32 nr_ranges;
	struct guard guards[GUARDS];
	struct told_range ranges[RANGES];
};

#define TYPE_DESCRIPTORS 1

/* The guards of each message, and behind them those of its descriptors. */
enum {
	GUARD_ALIVE,
	GUARD_CRASHED,
	GUARD_LOCK,
	GUARD_LEAF,
};

/* What says where an entry of the page table leads. The CPU sets other bits. */
#define LEAF_MASK ((u32)(PMD_MASK | _PAGE_PRESENT | _PAGE_PSE))

/* So many descriptors of each pageblock are looked at as the device will. */
#define CHECKED 8

/* Why the guard @alive does not hold. */
#define OFF_SUSPEND BIT(0)
#define OFF_LEAVING BIT(1)
#define OFF_ENDED BIT(2)

static DEFINE_MUTEX(lock);	/* of what follows; held to read descriptors */
static unsigned int off;
static u32 cookie;
static u32 alive;

/*
 * A message that is being made, all of it of one zone.
 *
 * @leaf: maps the descriptors of the last range, is the guard @guards - 1
 * @end: the page behind the last range
 */
struct draft {
	struct message *message;
	struct zone *zone;
	unsigned int guards;
	unsigned int ranges;
	pmd_t *leaf;
	unsigned long end;
};

static void set_off(unsigned int why, bool is_off)
{
	off = is_off ? off | why : off & ~why;
	/* FPB-DESC-3: what it guards changes after it. */
	smp_store_mb(alive, off ? 0 : cookie);
}

/* What was told until now holds at no time any more. */
static void new_cookie(void)
{
	u32 last = cookie;

	do {
		cookie = get_random_u32();
	} while (!cookie || cookie == last);
}

static u32 word_at(phys_addr_t address)
{
	return READ_ONCE(*(u32 *)phys_to_virt(address));
}

static void add_guard(struct draft *draft, phys_addr_t address, u32 mask,
		      u32 value)
{
	struct guard *guard = &draft->message->guards[draft->guards++];

	guard->address = cpu_to_le64(address);
	guard->mask = cpu_to_le32(mask);
	guard->value = cpu_to_le32(value);
}

/*
 * Returns whether the records of a pageblock are what the device takes them
 * for, as far as some descriptors of it show.
 */
static bool agrees(struct zone *zone, struct page *page, phys_addr_t descriptor)
{
	phys_addr_t lock_word = slow_virt_to_phys(&zone->lock);
	unsigned long flags;
	bool agreed, free;
	int i;

	spin_lock_irqsave(&zone->lock, flags);
	agreed = word_at(lock_word);
	for (i = 0; i < CHECKED; i++, page++, descriptor += sizeof(*page)) {
		free = (word_at(descriptor + offsetof(struct page, page_type)) &
			EXB_MARK_MASK) == EXB_MARK_VALUE;
		agreed &= free == !!PageBuddy(page);
		if (free)
			agreed &= word_at(descriptor +
					  offsetof(struct page, private)) ==
				  page_private(page);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return agreed;
}

/* Returns whether all of a pageblock was there at boot, and is the zone's. */
static bool is_early(struct zone *zone, unsigned long pfn)
{
	unsigned long last = pfn + pageblock_nr_pages - 1;
	int nid = zone_to_nid(zone);

	return early_section(__pfn_to_section(pfn)) &&
	       pfn_to_online_page(pfn) && pfn_to_online_page(last) &&
	       page_zonenum(pfn_to_page(pfn)) == zone_idx(zone) &&
	       page_zonenum(pfn_to_page(last)) == zone_idx(zone) &&
	       page_to_nid(pfn_to_page(pfn)) == nid &&
	       page_to_nid(pfn_to_page(last)) == nid;
}

/* Returns the entry that maps all descriptors of a pageblock, or NULL. */
static pmd_t *find_leaf(unsigned long pfn)
{
	unsigned long first = (unsigned long)pfn_to_page(pfn);
	unsigned long behind = (unsigned long)(pfn_to_page(pfn) +
					       pageblock_nr_pages);
	unsigned int level;
	pte_t *entry;

	if ((first ^ (behind - 1)) & PMD_MASK)
		return NULL;
	entry = lookup_address(first, &level);
	return entry && level == PG_LEVEL_2M ? (pmd_t *)entry : NULL;
}

/* Adds a pageblock to the message. Returns whether there was room for it. */
static bool add_block(struct draft *draft, unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	phys_addr_t descriptor;
	struct told_range *range;
	pmd_t *leaf, entry;

	if (!early_section(__pfn_to_section(pfn)) ||
	    !is_early(draft->zone, pfn))
		return true;
	leaf = find_leaf(pfn);
	if (!leaf)
		return true;
	entry = READ_ONCE(*leaf);
	if (!pmd_present(entry) || !pmd_leaf(entry))
		return true;
	descriptor = PFN_PHYS(pmd_pfn(entry)) +
		     ((unsigned long)page & ~PMD_MASK);
	if (!agrees(draft->zone, page, descriptor)) {
		/* Descriptors that were moved meanwhile are not told. */
		if (word_at(__pa(leaf)) == (u32)pmd_val(entry)) {
			pr_info("page descriptors are not as expected\n");
			set_off(OFF_ENDED, true);
		}
		return true;
	}

	if (leaf == draft->leaf && pfn == draft->end) {
		range = &draft->message->ranges[draft->ranges - 1];
		le64_add_cpu(&range->pages, pageblock_nr_pages);
		draft->end += pageblock_nr_pages;
		return true;
	}
	if (draft->ranges == RANGES)
		return false;
	if (leaf != draft->leaf) {
		if (draft->guards == GUARDS)
			return false;
		add_guard(draft, __pa(leaf), LEAF_MASK,
			  pmd_val(entry) & LEAF_MASK);
		draft->leaf = leaf;
	}
	range = &draft->message->ranges[draft->ranges++];
	range->address = cpu_to_le64(PFN_PHYS(pfn));
	range->pages = cpu_to_le64(pageblock_nr_pages);
	range->descriptors = cpu_to_le64(descriptor);
	range->guards = cpu_to_le32(BIT(GUARD_ALIVE) | BIT(GUARD_CRASHED) |
				    BIT(GUARD_LOCK) | BIT(draft->guards - 1));
	range->reserved = 0;
	draft->end = pfn + pageblock_nr_pages;
	return true;
}

/* Begins a message about a zone. */
static void begin(struct draft *draft)
{
	/* FPB-DESC-3: this kernel and this module are there. */
	add_guard(draft, slow_virt_to_phys(&alive), U32_MAX, cookie);
	/* Nor does another kernel make a dump of a crash of this one. */
	add_guard(draft, slow_virt_to_phys(&oops_in_progress), U32_MAX, 0);
	/* FPB-DESC-4. No bit is set while nobody has the lock. */
	add_guard(draft, slow_virt_to_phys(&draft->zone->lock), U32_MAX, 0);
}

static unsigned int end(struct draft *draft)
{
	struct message *message = draft->message;

	message->id = 0;
	message->type = cpu_to_le16(TYPE_DESCRIPTORS);
	message->flags = 0;
	message->page_shift = PAGE_SHIFT;
	message->most_order = MAX_PAGE_ORDER;
	message->stride = cpu_to_le16(sizeof(struct page));
	message->mark_offset = cpu_to_le16(offsetof(struct page, page_type));
	/* Its low half. */
	message->order_offset = cpu_to_le16(offsetof(struct page, private));
	message->mark_mask = cpu_to_le32(EXB_MARK_MASK);
	message->mark_value = cpu_to_le32(EXB_MARK_VALUE);
	/* Ranges lie behind all guards: those that are left over are no one's. */
	while (draft->guards < GUARDS)
		message->guards[draft->guards++] = message->guards[GUARD_ALIVE];
	message->nr_guards = cpu_to_le16(GUARDS);
	message->reserved = 0;
	message->nr_ranges = cpu_to_le32(draft->ranges);
	return offsetof(struct message, ranges[draft->ranges]);
}

static struct zone *zone_of(unsigned int number)
{
	struct zone *zone;

	if (!node_online(number / MAX_NR_ZONES))
		return NULL;
	zone = &NODE_DATA(number / MAX_NR_ZONES)->node_zones[number %
							     MAX_NR_ZONES];
	return populated_zone(zone) ? zone : NULL;
}

/* Adds what there is room for, of the zone that telling has come to. */
static void add_blocks(struct exb_descriptors *descriptors, struct draft *draft)
{
	unsigned long pfn = round_down(max(descriptors->pfn,
					   draft->zone->zone_start_pfn),
				       pageblock_nr_pages);

	while (pfn < zone_end_pfn(draft->zone) && !(off & OFF_ENDED) &&
	       add_block(draft, pfn)) {
		pfn += pageblock_nr_pages;
		cond_resched();
	}
	descriptors->pfn = pfn;
}

/**
 * exb_descriptors_next() - makes the next message.
 * @descriptors: how far telling is
 * @message: EXB_DESCRIPTORS_BYTES
 *
 * Return: how many bytes of it to send, or 0 if all has been told.
 */
unsigned int exb_descriptors_next(struct exb_descriptors *descriptors,
				  void *message)
{
	unsigned int zones = nr_node_ids * MAX_NR_ZONES;
	struct draft draft;
	unsigned int i;

	mutex_lock(&lock);
	for (;;) {
		/* No descriptor is read that may be on its way out. */
		if (descriptors->zone >= zones ||
		    off & (OFF_LEAVING | OFF_ENDED)) {
			descriptors->zone = zones;
			mutex_unlock(&lock);
			return 0;
		}
		draft = (struct draft){
			.message = message,
			.zone = zone_of(descriptors->zone),
		};
		if (draft.zone) {
			begin(&draft);
			add_blocks(descriptors, &draft);
			if (draft.ranges)
				break;
		}
		descriptors->zone++;
		descriptors->pfn = 0;
	}
	mutex_unlock(&lock);

	for (i = 0; i < draft.ranges; i++)
		descriptors->pages +=
			le64_to_cpu(draft.message->ranges[i].pages);
	return end(&draft);
}

/**
 * exb_descriptors_begin() - begins to tell all again.
 * @descriptors: how far telling is
 *
 * Return: NULL, or why nothing will be told.
 */
const char *exb_descriptors_begin(struct exb_descriptors *descriptors)
{
	memset(descriptors, 0, sizeof(*descriptors));
	if (!IS_ENABLED(CONFIG_SMP) || IS_ENABLED(CONFIG_PREEMPT_RT) ||
	    !IS_ENABLED(CONFIG_QUEUED_SPINLOCKS))
		return "no word in memory says whether a lock is held";
	if (debug_pagealloc_enabled_static())
		return "debug_pagealloc is on";
	if (READ_ONCE(off) & OFF_ENDED)
		return "they are not as expected";
	return NULL;
}

static bool has_early(const struct memory_notify *change)
{
	unsigned long end = change->start_pfn + change->nr_pages;
	unsigned long pfn = change->start_pfn;

	for (; pfn < end; pfn += PAGES_PER_SECTION)
		if (early_section(__pfn_to_section(pfn)))
			return true;
	return false;
}

/* Called before descriptors of memory that leaves the guest go away. */
static int memory_changes(struct notifier_block *block, unsigned long action,
			  void *argument)
{
	if (!has_early(argument))
		return NOTIFY_OK;
	mutex_lock(&lock);
	switch (action) {
	case MEM_GOING_OFFLINE:
		set_off(OFF_LEAVING, true);
		break;
	case MEM_OFFLINE:
		new_cookie();
		fallthrough;
	case MEM_CANCEL_OFFLINE:
		set_off(OFF_LEAVING, false);
		break;
	}
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

/* A kernel that resumes from disk is the one that made the image. */
static int power_changes(struct notifier_block *block, unsigned long action,
			 void *argument)
{
	mutex_lock(&lock);
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		set_off(OFF_SUSPEND, true);
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_SUSPEND:
	case PM_POST_RESTORE:
		set_off(OFF_SUSPEND, false);
		break;
	}
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

/* The kernel ends: for nothing, itself, or another one. */
static int kernel_ends(struct notifier_block *block, unsigned long action,
		       void *argument)
{
	mutex_lock(&lock);
	set_off(OFF_ENDED, true);
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

static struct notifier_block memory = { .notifier_call = memory_changes };
static struct notifier_block power = { .notifier_call = power_changes };
static struct notifier_block reboot = { .notifier_call = kernel_ends };

int exb_descriptors_init(void)
{
	int error;

	BUILD_BUG_ON(offsetof(struct message, guards) != HEADER);
	BUILD_BUG_ON(sizeof(struct message) > EXB_DESCRIPTORS_BYTES);

	error = register_memory_notifier(&memory);
	if (error)
		return error;
	error = register_pm_notifier(&power);
	if (error)
		goto memory;
	error = register_reboot_notifier(&reboot);
	if (error)
		goto power;
	mutex_lock(&lock);
	new_cookie();
	set_off(0, false);
	mutex_unlock(&lock);
	return 0;

power:
	unregister_pm_notifier(&power);
memory:
	unregister_memory_notifier(&memory);
	return error;
}

void exb_descriptors_exit(void)
{
	mutex_lock(&lock);
	set_off(OFF_ENDED, true);
	mutex_unlock(&lock);
	unregister_reboot_notifier(&reboot);
	unregister_pm_notifier(&power);
	unregister_memory_notifier(&memory);
}
