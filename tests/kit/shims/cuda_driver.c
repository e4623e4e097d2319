/* libcuda of the same made-up machine: which device an ordinal is, by the rules of the CUDA C++
   guide: CUDA_DEVICE_ORDER (FASTEST_FIRST unless it says PCI_BUS_ID), then CUDA_VISIBLE_DEVICES,
   read once in cuInit; at most one MIG slice, and never a card that is cut into slices. */
#include "fake_cards.h"
#include <ctype.h>

static struct card *order[16], *devices[16];
static int order_count, device_count, ready;

static struct card *named(char *entry) {
    if (isdigit((unsigned char)*entry)) {
        char *end;
        long place = strtol(entry, &end, 10);
        return !*end && place < order_count ? order[place] : NULL;
    }
    for (int i = 0; i < order_count; i++) {
        if (strlen(entry) > 4 && !strncmp(order[i]->uuid, entry, strlen(entry))) return order[i];
        for (int k = 0; k < order[i]->slice_count; k++)
            if (!strcmp(order[i]->slices[k]->uuid, entry)) return order[i]->slices[k];
    }
    return NULL;
}

static void add(struct card *card) {
    if (card->slice_count || card->mig == 1) return; /* not usable whole */
    devices[device_count++] = card;
}

static void choose(void) {
    char list[1024], *visible = getenv("CUDA_VISIBLE_DEVICES"), *how = getenv("CUDA_DEVICE_ORDER");
    int by_bus = how && !strcmp(how, "PCI_BUS_ID");
    for (int i = 0; i < card_count; i++) order[order_count++] = &cards[i];
    for (int i = 1; !by_bus && i < order_count; i++)
        for (int k = i; k && order[k]->speed > order[k - 1]->speed; k--) {
            struct card *other = order[k];
            order[k] = order[k - 1];
            order[k - 1] = other;
        }
    if (!visible) {
        for (int i = 0; i < order_count; i++) add(order[i]);
        return;
    }
    snprintf(list, sizeof list, "%s", visible);
    for (char *entry = strtok(list, ","); entry; entry = strtok(NULL, ",")) {
        struct card *card = named(entry);
        if (!card) break;
        if (!strncmp(card->uuid, "MIG-", 4)) { devices[0] = card; device_count = 1; break; }
        add(card);
    }
}

int cuInit(unsigned flags) {
    (void)flags;
    if (ready) return 0;
    load_cards();
    choose();
    ready = 1;
    return device_count ? 0 : 100; /* CUDA_ERROR_NO_DEVICE */
}
int cuDeviceGetCount(int *count) { *count = device_count; return 0; }
int cuDeviceGet(int *device, int ordinal) {
    if (ordinal < 0 || ordinal >= device_count) return 101; /* CUDA_ERROR_INVALID_DEVICE */
    *device = ordinal;
    return 0;
}
int cuDeviceGetUuid_v2(unsigned char *bytes, int device) {
    const char *text = devices[device]->uuid + 4;
    for (int i = 0; i < 16; text++) {
        unsigned value;
        if (*text == '-') continue;
        sscanf(text, "%2x", &value);
        bytes[i++] = value;
        text++;
    }
    return 0;
}
int cuDeviceGetName(char *text, int size, int device) {
    snprintf(text, size, "%s", devices[device]->name);
    return 0;
}
int cuDeviceGetPCIBusId(char *text, int size, int device) {
    snprintf(text, size, "%s", devices[device]->pci);
    return 0;
}
