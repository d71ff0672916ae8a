import { Component, type ReactNode } from 'react';
import { ProblemPanel } from '../ui/Problem';

/** Catches what a page throws, such as a part of the console that can't be fetched any more. */
export class ErrorBoundary extends Component<{ children: ReactNode; resetKey?: string }, { error: unknown }> {
  override state: { error: unknown } = { error: undefined };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override componentDidUpdate(before: { resetKey?: string }): void {
    if (this.state.error !== undefined && before.resetKey !== this.props.resetKey)
      this.setState({ error: undefined });
  }

  override render(): ReactNode {
    if (this.state.error === undefined) return this.props.children;
    return <ProblemPanel error={this.state.error} retry={() => window.location.reload()} />;
  }
}
