/** The camera behind the phone, or the one there is. */
export async function openCamera(): Promise<{ video: HTMLVideoElement; close(): void }> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  return {
    video,
    close() {
      for (const track of stream.getTracks()) track.stop();
      video.srcObject = null;
    },
  };
}

/** Calls `onFrame` for each new frame, one at a time; what it gives stops that and resolves when the last frame is done. */
export function eachFrame(video: HTMLVideoElement, onFrame: () => Promise<void>): () => Promise<void> {
  let running = true;
  let last = Promise.resolve();
  const next = (): void => {
    const step = (): void => {
      if (!running) return;
      last = onFrame().finally(next);
    };
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(step);
    else requestAnimationFrame(step);
  };
  next();
  return () => {
    running = false;
    return last;
  };
}
