/**
 * Weights of resizing are whole numbers of 2^−22: a byte times all weights of a line stays below 2^31. They stand apart from the op,
 * because the threads that decode need them and no kernel.
 */
export const weightBits = 22;
