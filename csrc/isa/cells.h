// The cells: what one step does with a vector of units. One struct each, in a file for each family.
//
// A struct says how many gate blocks it has (GATES), how many state leaves (STATES; leaf 0 is h, which enters the
// recurrent product), how many vectors a unit it keeps for the backward pass (SAVED), how many weights of its own a
// unit has beside the product (EXTRA), whether there is a product at all (PRODUCT), and whether its gradient is that of
// the input (SAME_GRADIENT).
//   forward:  u, r (what came in, what came round) and the state before → the state after, and what is kept
//   backward: the gradient of the state after → of u, of r, of the weights of its own, and of the state before but for
//             what goes by the product
#pragma once

#include "cells/elman.h"
#include "cells/gru.h"
#include "cells/leaky.h"
#include "cells/lstm.h"
#include "cells/slstm.h"
