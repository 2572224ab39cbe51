/*
 * Statistics of readings: a program in plain C, which knows nothing of any grid.
 *
 * Reads lines "NAME VALUE" from standard input and writes, for each name in the order of first
 * appearance, how many values it has, their mean, standard deviation, least and greatest.
 * An argument "-p N" sets the digits behind the point. Exit code 3 for a line that is none.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct series {
    char *name;
    double *values;
    size_t count, room;
};

static struct series *all;
static size_t number, room;

static void *more(void *old, size_t *places, size_t size)
{
    void *grown;
    *places = *places ? 2 * *places : 4;
    grown = realloc(old, *places * size);
    if (!grown) {
        perror("readings");
        exit(1);
    }
    return grown;
}

static struct series *named(const char *name)
{
    size_t i;
    for (i = 0; i < number; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    if (number == room)
        all = more(all, &room, sizeof *all);
    memset(&all[number], 0, sizeof *all);
    all[number].name = malloc(strlen(name) + 1);
    if (!all[number].name)
        exit(1);
    strcpy(all[number].name, name);
    return &all[number++];
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    int digits = 3, i;
    char line[256], name[64];
    unsigned long lines = 0;
    size_t s, v;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-p") == 0 && i + 1 < argc) {
            digits = atoi(argv[++i]);
        } else {
            fprintf(stderr, "usage: %s [-p DIGITS]\n", argv[0]);
            return 2;
        }
    }
    while (fgets(line, sizeof line, stdin)) {
        struct series *series;
        double value;
        lines++;
        if (sscanf(line, "%63s %lf", name, &value) != 2) {
            fprintf(stderr, "line %lu is no reading: %s", lines, line);
            return 3;
        }
        series = named(name);
        if (series->count == series->room)
            series->values = more(series->values, &series->room, sizeof *series->values);
        series->values[series->count++] = value;
    }
    for (s = 0; s < number; s++) {
        struct series *one = &all[s];
        double sum = 0, squares = 0, mean;
        qsort(one->values, one->count, sizeof *one->values, ascending);
        for (v = 0; v < one->count; v++)
            sum += one->values[v];
        mean = sum / (double)one->count;
        for (v = 0; v < one->count; v++)
            squares += (one->values[v] - mean) * (one->values[v] - mean);
        printf("%-8s n=%zu mean=%.*f sd=%.*f min=%g max=%g\n", one->name, one->count, digits, mean,
               digits, sqrt(squares / (double)one->count), one->values[0],
               one->values[one->count - 1]);
        free(one->values);
        free(one->name);
    }
    free(all);
    return fflush(stdout) == 0 ? 0 : 1;
}
