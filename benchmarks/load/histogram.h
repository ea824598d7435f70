/* Latencies in buckets of at most 1/64 relative width: no sample is kept, none is cut off. */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (64 * 60)

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS], total, largest;
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The smallest bucket bound that a share of the samples does not exceed; 0 without samples. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
