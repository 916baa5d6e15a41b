#include "engine/stored.h"

#include <stddef.h>

void stored_close(struct stored *stored)
{
    if (stored != NULL)
        stored->ops->close(stored);
}
