/* The cards of a made-up machine, read once from cards.txt beside the library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct card {
    int minor, memory_mb, speed, mig, lost, slice_count;
    char uuid[64], pci[24], name[64];
    struct card *slices[7];
};
static struct card cards[16];
static int card_count, loaded;

static int may_open(int minor) {
    char list[128], *only = getenv("FAKE_MINORS"), *entry;
    if (!only) return 1;
    snprintf(list, sizeof list, "%s", only);
    for (entry = strtok(list, ","); entry; entry = strtok(NULL, ","))
        if (atoi(entry) == minor) return 1;
    return 0;
}

static void read_slices(struct card *card, char *text) {
    char *entry, *rest = text;
    card->mig = strcmp(text, "-") ? 1 : -1;
    if (card->mig < 0) return;
    while ((entry = strsep(&rest, ","))) {
        char *colon = strchr(entry, ':');
        if (!colon) continue;
        struct card *part = calloc(1, sizeof *part);
        *colon = 0;
        snprintf(part->uuid, sizeof part->uuid, "%s", entry);
        snprintf(part->name, sizeof part->name, "MIG slice");
        snprintf(part->pci, sizeof part->pci, "%s", card->pci);
        part->memory_mb = atoi(colon + 1);
        part->minor = card->slice_count + 1;
        card->slices[card->slice_count++] = part;
    }
}

static void load_cards(void) {
    Dl_info here;
    char path[4096], line[1024], slices[512];
    if (loaded) return;
    loaded = 1;
    dladdr((void *)load_cards, &here);
    snprintf(path, sizeof path, "%s", here.dli_fname);
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "cards.txt");
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        struct card *card = &cards[card_count];
        memset(card, 0, sizeof *card);
        if (sscanf(line, "%63s %23s %d %d %d %511s %63[^\n]", card->uuid, card->pci, &card->minor,
                   &card->memory_mb, &card->speed, slices, card->name) != 7) continue;
        if (!may_open(card->minor)) continue;
        card->lost = !strcmp(slices, "lost");
        read_slices(card, card->lost ? (char[]){'-', 0} : slices);
        card_count++;
    }
    if (file) fclose(file);
}
