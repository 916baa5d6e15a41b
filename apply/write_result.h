/* What became of a row that was to be written, as far as its database has a say. */
#ifndef APPLY_WRITE_RESULT_H
#define APPLY_WRITE_RESULT_H

enum write_result {
    WRITE_DONE,
    WRITE_UNIQUE,  /* nothing was written: another row has a unique value of this one */
    WRITE_REFUSED, /* nothing was written: the database's message is in err */
    WRITE_ENDED,   /* refused, and the whole transaction is rolled back (a trigger can) */
};

#endif
