import { words } from "../language";
import en from "./en.json";
import es from "./es.json";
import fil from "./fil.json";

/** Words that every page shares. */
export const shared = words(en, fil, es);
