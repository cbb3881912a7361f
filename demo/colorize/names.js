// The name of a colour for people who hear the page: "dark red", "pale blue", "grey". By lightness,
// chroma and hue of Oklab (Ottosson 2020), whose hues look evenly spaced.
window.colorName = (() => {
  // the upper end of each hue, in degrees
  const hues = [[15, "pink"], [40, "red"], [75, "orange"], [115, "yellow"], [165, "green"],
    [210, "turquoise"], [285, "blue"], [320, "purple"], [352, "magenta"], [360, "pink"]];
  const oklab = (hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const value = parseInt(hex.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return [
      0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
      1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
  };
  return (hex) => {
    const [lightness, a, b] = oklab(hex);
    const chroma = Math.hypot(a, b);
    const shade = lightness < 0.45 ? "dark " : lightness > 0.82 && chroma < 0.15 ? "light " : "";
    if (chroma < 0.03) {
      if (lightness < 0.2) return "black";
      return lightness > 0.96 ? "white" : `${shade}grey`;
    }
    const degrees = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;
    const hue = hues.find(([end]) => degrees < end)[1];
    if (["orange", "yellow"].includes(hue) && lightness < 0.6)
      return hue === "yellow" ? "olive" : lightness < 0.45 ? "dark brown" : "brown";
    if (hue === "red" && lightness > 0.72) return "pink";
    if (hue === "magenta" && lightness < 0.5) return `${shade}purple`;
    return `${shade || (chroma < 0.07 ? "pale " : "")}${hue}`;
  };
})();
