#include "histogram.h"

/* Below 64 a bucket per value; above, 64 buckets per power of two. */
static unsigned bucket_of(uint64_t value)
{
    if (value < 64)
        return (unsigned)value;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    return (exponent - 5) * 64 + (unsigned)(value >> (exponent - 6) & 63);
}

static uint64_t bound_of(unsigned bucket)
{
    if (bucket < 64)
        return bucket;
    unsigned exponent = bucket / 64 + 5;
    return (1ull << exponent) + ((uint64_t)(bucket % 64 + 1) << (exponent - 6)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
    if (value > histogram->largest)
        histogram->largest = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t seen = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen > 0 && (double)seen >= share * (double)histogram->total) {
            uint64_t bound = bound_of(bucket);
            return bound < histogram->largest ? bound : histogram->largest;
        }
    }
    return 0;
}
