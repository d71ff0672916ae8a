import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { startLanguage } from './i18n/i18n';
import './styles/colours.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/tables.css';
import './styles/states.css';
import './styles/surfaces.css';
import './styles/layout.css';

const root = document.getElementById('root');
if (root) {
  try {
    // The first paint waits for the words of one language, nothing else.
    await startLanguage();
    createRoot(root).render(
      <StrictMode>
        <App />
      </StrictMode>,
    );
  } catch (error) {
    // Without words of any language there is nothing to draw with.
    root.textContent = `The console could not be loaded; reload the page. 控制台加载失败，请刷新页面。 (${String(error)})`;
  }
}
