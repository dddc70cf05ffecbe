/** Ends the task, so that a page can draw and react before what comes next: work of many milliseconds is cut by it. */
export const yieldToHost = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
