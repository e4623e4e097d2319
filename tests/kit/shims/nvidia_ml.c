/* NVML of a made-up machine. cards.txt beside this library has one card a line:
   uuid pci minor memory_mb speed slices name…; in PCI order; slices: "-", "lost", "mig" or "mig,UUID:MB,…".
   FAKE_MINORS=2,0 in the environment: only these device files can be opened, and NVML counts
   them from 0, as in a container. FAKE_NVML=9: nvmlInit answers that. */
#include "fake_cards.h"

struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char address[32]; };
struct memory { unsigned long long total, free, used; };

int nvmlInit_v2(void) {
    char *code = getenv("FAKE_NVML");
    if (code && *code) return atoi(code);
    load_cards();
    return 0;
}
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = card_count; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    if (index >= (unsigned)card_count) return 2;
    if (cards[index].lost) return 15;
    *handle = &cards[index];
    return 0;
}
int nvmlDeviceGetUUID(struct card *card, char *text, unsigned size) {
    snprintf(text, size, "%s", card->uuid);
    return 0;
}
int nvmlDeviceGetName(struct card *card, char *text, unsigned size) {
    snprintf(text, size, "%s", card->name);
    return 0;
}
int nvmlDeviceGetMinorNumber(struct card *card, unsigned *minor) { *minor = card->minor; return 0; }
int nvmlDeviceGetPciInfo_v3(struct card *card, struct pci *pci) {
    memset(pci, 0, sizeof *pci);
    snprintf(pci->address, sizeof pci->address, "0000%s", card->pci);
    return 0;
}
int nvmlDeviceGetMemoryInfo(struct card *card, struct memory *memory) {
    if (!card->memory_mb) return 3;
    memory->total = (unsigned long long)card->memory_mb << 20;
    return 0;
}
int nvmlDeviceGetMigMode(struct card *card, unsigned *now, unsigned *pending) {
    if (card->mig < 0) return 3;
    *now = *pending = card->mig;
    return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(struct card *card, unsigned *count) { (void)card; *count = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(struct card *card, unsigned place, void **handle) {
    if (place >= (unsigned)card->slice_count) return 6;
    *handle = card->slices[place];
    return 0;
}
int nvmlDeviceGetGpuInstanceId(struct card *part, unsigned *id) { *id = part->minor; return 0; }
int nvmlDeviceGetComputeInstanceId(struct card *part, unsigned *id) { (void)part; *id = 0; return 0; }
