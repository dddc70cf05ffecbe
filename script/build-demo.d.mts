export function buildDemo(options?: { target?: string; model?: string }): Promise<string>;
