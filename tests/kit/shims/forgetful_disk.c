/* A disk that forgets what was not flushed: a FUSE file system with one image, `disk`.
 *
 * FORGETFUL_FOLDER holds two copies of the image: `seen`, which every write reaches, and
 * `kept`, which it reaches at a flush. Writing "SEED SHARE PATH" to `cut` makes at PATH what a
 * power cut now would leave: what is kept, and of the blocks written since a random SHARE. */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096

struct written {
    off_t at;
    size_t size;
    char *bytes;
    struct written *next;
};

static int seen, kept;
static off_t image_size;
static struct written *first, *last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_disk(const char *path) { return !strcmp(path, "/disk"); }

static int get_attributes(const char *path, struct stat *out, struct fuse_file_info *info) {
    (void)info;
    memset(out, 0, sizeof *out);
    out->st_nlink = 1;
    if (!strcmp(path, "/")) out->st_mode = S_IFDIR | 0755;
    else if (is_disk(path) || !strcmp(path, "/cut")) out->st_mode = S_IFREG | 0600;
    else return -ENOENT;
    out->st_size = is_disk(path) ? image_size : 0;
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *info) {
    (void)path;
    (void)info;
    return 0;
}

static int set_size(const char *path, off_t size, struct fuse_file_info *info) {
    (void)path;
    (void)size;
    (void)info;
    return 0;
}

static int list(const char *path, void *into, fuse_fill_dir_t fill, off_t from,
                struct fuse_file_info *info, enum fuse_readdir_flags flags) {
    (void)path;
    (void)from;
    (void)info;
    (void)flags;
    fill(into, "disk", 0, 0, 0);
    fill(into, "cut", 0, 0, 0);
    return 0;
}

static int read_file(const char *path, char *into, size_t size, off_t at,
                     struct fuse_file_info *info) {
    (void)info;
    if (!is_disk(path)) return 0;
    ssize_t count = pread(seen, into, size, at);
    return count < 0 ? -errno : count;
}

static int put(int file, const char *from, size_t size, off_t at) {
    return pwrite(file, from, size, at) == (ssize_t)size ? 0 : -EIO;
}

static int remember(const char *from, size_t size, off_t at) {
    struct written *one = malloc(sizeof *one);
    *one = (struct written){.at = at, .size = size, .bytes = malloc(size)};
    memcpy(one->bytes, from, size);
    if (last) last->next = one;
    else first = one;
    last = one;
    return put(seen, from, size, at);
}

static int cut(const char *text) {
    unsigned seed;
    double share;
    char path[512], command[1400];
    if (sscanf(text, "%u %lf %511s", &seed, &share, path) != 3) return -EINVAL;
    snprintf(command, sizeof command, "cp --sparse=always %s/kept %s",
             getenv("FORGETFUL_FOLDER"), path);
    if (system(command)) return -EIO;
    int file = open(path, O_RDWR), failed = 0;
    srandom(seed);
    for (struct written *one = first; one; one = one->next)
        for (size_t from = 0; from < one->size; from += BLOCK) {
            size_t size = one->size - from < BLOCK ? one->size - from : BLOCK;
            if (random() % 10000 / 10000.0 < share)
                failed |= put(file, one->bytes + from, size, one->at + from);
        }
    close(file);
    return failed;
}

static int write_file(const char *path, const char *from, size_t size, off_t at,
                      struct fuse_file_info *info) {
    (void)info;
    char text[1024] = {0};
    pthread_mutex_lock(&lock);
    int failed = is_disk(path)
                     ? remember(from, size, at)
                     : cut(memcpy(text, from, size < sizeof text ? size : sizeof text - 1));
    pthread_mutex_unlock(&lock);
    return failed ? failed : (int)size;
}

static int flush(const char *path, int only_data, struct fuse_file_info *info) {
    (void)only_data;
    (void)info;
    int failed = 0;
    if (!is_disk(path)) return 0;
    pthread_mutex_lock(&lock);
    while (first) {
        struct written *one = first;
        failed |= put(kept, one->bytes, one->size, one->at);
        first = one->next;
        free(one->bytes);
        free(one);
    }
    last = 0;
    pthread_mutex_unlock(&lock);
    return failed;
}

static const struct fuse_operations calls = {
    .getattr = get_attributes, .open = open_file, .truncate = set_size, .readdir = list,
    .read = read_file,         .write = write_file, .fsync = flush,
};

static int opened(const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", getenv("FORGETFUL_FOLDER"), name);
    return open(path, O_RDWR);
}

int main(int count, char **words) {
    struct stat facts;
    seen = opened("seen");
    kept = opened("kept");
    if (seen < 0 || kept < 0 || fstat(seen, &facts)) return 2;
    image_size = facts.st_size;
    return fuse_main(count, words, &calls, 0);
}
