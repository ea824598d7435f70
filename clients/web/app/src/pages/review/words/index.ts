import { words } from "../../../language";
import en from "./en.json";
import es from "./es.json";
import fil from "./fil.json";

/** Words of the review page. */
export const say = words(en, fil, es);
