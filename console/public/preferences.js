// Runs before the first paint, so that a chosen theme or language does not flash.
// A file of its own, because the content-security policy allows no inline scripts.
(function () {
  var root = document.documentElement;
  try {
    var theme = localStorage.getItem('weir.theme');
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
    var language = localStorage.getItem('weir.language');
    root.lang = language || (/^zh/i.test(navigator.language) ? 'zh-CN' : 'en');
  } catch {
    // Without storage the system's theme and English stand.
  }
})();
