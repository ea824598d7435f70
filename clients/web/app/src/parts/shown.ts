import { useCallback, useEffect, useRef } from "preact/hooks";

/** Whether the page is still looked at: what answers late does not bring back who has left. */
export function isShown(path: string): boolean {
  return location.pathname === path;
}

/** Tells whether what asks is still drawn: who has left it and come back may look at something else by now. */
export function useShown(): () => boolean {
  const drawn = useRef(true);
  useEffect(
    () => () => {
      drawn.current = false;
    },
    [],
  );
  return useCallback(() => drawn.current, []);
}
