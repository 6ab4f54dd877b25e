/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

const struct encoder *const encoder_gzip = NULL;
