/** Keeps the page's own files for the next visit without a network. The build replaces the version, so old files go. */
/// <reference lib="webworker" />
declare const self: ServiceWorkerGlobalScope;
declare const FILES: readonly string[];
declare const VERSION: string;

const name = `tepal-${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(name).then((cache) => cache.addAll([...FILES])));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const drop = async (): Promise<void> => {
    for (const key of await caches.keys()) if (key !== name) await caches.delete(key);
    await self.clients.claim();
  };
  event.waitUntil(drop());
});

self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || new URL(event.request.url).origin !== location.origin) return;
  const answer = async (): Promise<Response> =>
    (await caches.match(event.request, { ignoreSearch: true })) ?? fetch(event.request);
  event.respondWith(answer());
});

export {};
