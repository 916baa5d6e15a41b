/* What a column's type in Postgres means to the fleet. Pure: who reads the catalog fills
 * in what pg_type says. */
#ifndef ENGINE_POSTGRES_TYPE_H
#define ENGINE_POSTGRES_TYPE_H

#include "log/value.h"

struct postgres_type {
    uint32_t oid;
    const char *name;                 /* typname */
    const char *schema;               /* the name of typnamespace */
    char kind;                        /* typtype: b base, c composite, d domain, … */
    char category;                    /* typcategory: A array, S string, … */
    uint32_t element;                 /* typelem: 0 when none */
    const struct postgres_type *base; /* what a domain is made of, maybe a domain; NULL
                                         for all others, or when it is not known */
};

/* A domain is what its base type is. Types that Postgres has built in are known by their
 * oid, since anybody may name a type so; citext, which is an extension's, by its name. */
enum fleet_type postgres_fleet_type(const struct postgres_type *type);

#endif
